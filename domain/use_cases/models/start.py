"""Which model a server starts with."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.errors import Misconfigured, Remedy
from domain.use_cases.models.find import active_model

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import StoredModel
    from domain.ports import Clock, ModelChanges, ModelTransaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChooseModel:
    """Return where the model that a server starts with is loaded from.

    A library with embeddings keeps its ACTIVE model if it knows the configured one. If it does not,
    and the model was configured explicitly, ``source`` is returned, so that ActivateModel can
    refuse it. A library without embeddings takes ``source``.
    """

    changes: ModelChanges

    async def __call__(
        self, source: str, *, aliases: Collection[str] = (), is_explicit: bool = True
    ) -> str:
        names = {source, *aliases}
        return await self.changes.run(
            partial(_choose, source=source, names=names, is_explicit=is_explicit)
        )


@dataclass(frozen=True, slots=True)
class ActivateModel:
    """Return a loaded model as the ACTIVE one. In a library without embeddings it becomes that.

    Raises Misconfigured if another model has embedded the images.
    """

    changes: ModelChanges
    clock: Clock

    async def __call__(self, model: EmbeddingModel, source: str) -> StoredModel:
        return await self.changes.run(
            partial(_activate, model=model, source=source, now=self.clock())
        )


async def _choose(
    models: ModelTransaction, *, source: str, names: set[str], is_explicit: bool
) -> str:
    stored = await models.list()
    active = active_model(stored)
    if active is None or not await models.has_embeddings(active.id):
        return source
    if names & {active.source, active.name}:
        return active.source
    if is_explicit and not any(names & {model.source, model.name} for model in stored):
        return source
    logger.info(
        "the active model of the library is %s, from %s; the configured one is for a new library",
        active.name,
        active.source,
    )
    return active.source


async def _activate(
    models: ModelTransaction, *, model: EmbeddingModel, source: str, now: datetime
) -> StoredModel:
    active = active_model(await models.list())
    if active is not None and (active.name, active.dimensions) == (model.name, model.dimensions):
        stored = await models.register(model, source)
    else:
        if active is not None:
            await _retire(models, active, successor=model, source=source)
        stored = await models.register(model, source)
        await models.create_embeddings(stored, with_index=True)
        if active is not None:
            await models.reassign(active.id, stored.id)
    activated = replace(stored, state=ModelState.ACTIVE, activated_at=stored.activated_at or now)
    await models.save(activated)
    return activated


async def _retire(
    models: ModelTransaction, active: StoredModel, *, successor: EmbeddingModel, source: str
) -> None:
    if await models.has_embeddings(active.id):
        raise Misconfigured(
            f"The images of this library were embedded by {active.name} ({active.dimensions} "
            f"dimensions), which {successor.name} ({successor.dimensions} dimensions) cannot "
            f"search: add {source} to the library while it is in use, or configure "
            f"{active.source} again."
        ).with_remedy(Remedy.CHANGE_MODEL)
    await models.save(replace(active, state=ModelState.RETIRED))
