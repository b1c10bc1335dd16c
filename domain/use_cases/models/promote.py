"""Promoting a model, and rolling back to the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.errors import InvalidArgument, Remedy
from domain.use_cases.models.find import (
    active_model,
    find_model,
    model_was_dropped,
    model_with_id,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from domain.entities.models import MissingEmbeddings, StoredModel
    from domain.ports import Clock, ModelChanges, Models, ModelTransaction

MISSING_EMBEDDING_GRACE = timedelta(seconds=10)
"""An image may be READY for so long before the other live models have embedded it."""


@dataclass(frozen=True, slots=True)
class PromoteModel:
    """Make a READY model ACTIVE, and the ACTIVE one READY.

    Raises InvalidArgument for a model that is not READY, or that has not embedded every image. With
    ``force`` it may lack the images whose tasks are dead letters.
    """

    models: Models
    changes: ModelChanges
    clock: Clock

    async def __call__(self, name: str, *, force: bool = False) -> StoredModel:
        model = find_model(await self.models.list(), name)
        check_ready(model)
        return await _activate(self.changes, model, now=self.clock(), force=force)


@dataclass(frozen=True, slots=True)
class RollBackModel:
    """Make the model ACTIVE again that was ACTIVE before. Raises InvalidArgument, as PromoteModel.

    A second call takes the first one back.
    """

    models: Models
    changes: ModelChanges
    clock: Clock

    async def __call__(self, *, force: bool = False) -> StoredModel:
        model = previous_model(await self.models.list())
        return await _activate(self.changes, model, now=self.clock(), force=force)


def previous_model(models: Sequence[StoredModel]) -> StoredModel:
    """Return the READY model that was made ACTIVE last. Raises InvalidArgument if there is none."""
    ready = [model for model in models if model.state is ModelState.READY]
    activated = [(model.activated_at, model) for model in ready if model.activated_at]
    if not activated:
        raise InvalidArgument(
            ("name",), "The library has no earlier model that is ready."
        ).with_remedy(Remedy.SHOW_MODELS)
    return max(activated, key=lambda pair: pair[0])[1]


def check_ready(model: StoredModel) -> None:
    """Raise InvalidArgument for a model that is not READY."""
    if model.state is ModelState.RETIRED:
        raise model_was_dropped(model)
    if model.state is ModelState.BACKFILLING:
        raise InvalidArgument(
            ("name",), f"{model.name} is still backfilling; promote it when it is ready."
        ).with_remedy(Remedy.WATCH_MODELS)
    if model.state is ModelState.ACTIVE:
        raise InvalidArgument(("name",), f"{model.name} is active already.")


def check_complete(model: StoredModel, missing: MissingEmbeddings, *, force: bool) -> None:
    """Raise InvalidArgument for a model that has not embedded every image.

    ``force`` accepts images whose tasks are dead letters, but none that is waiting.
    """
    if missing.waiting:
        raise InvalidArgument(
            ("name",),
            f"{model.name} has not embedded {_images(missing.waiting)} yet; let a worker finish, "
            "and try again.",
        )
    if missing.failed and not force:
        raise InvalidArgument(
            ("name",),
            f"{model.name} cannot embed {_images(missing.failed)}, which no search would find any "
            "more.",
        ).with_remedy(Remedy.PROMOTE_INCOMPLETE)


async def _activate(
    changes: ModelChanges, model: StoredModel, *, now: datetime, force: bool
) -> StoredModel:
    # An image that was uploaded while the model was being added may have no task. Enqueued in a
    # transaction of its own, the task stays if the promotion is refused.
    await changes.enqueue_missing(model.id)
    return await changes.run(partial(_swap, model_id=model.id, now=now, force=force))


async def _swap(
    models: ModelTransaction, *, model_id: int, now: datetime, force: bool
) -> StoredModel:
    stored = await models.list()
    model = model_with_id(stored, model_id)
    check_ready(model)
    missing = await models.missing(model.id, ready_for=MISSING_EMBEDDING_GRACE)
    check_complete(model, missing, force=force)
    active = active_model(stored)
    if active is not None:
        replaced = replace(active, activated_at=active.activated_at or now)
        await models.save(replaced.moved_to(ModelState.READY))
    promoted = replace(model.moved_to(ModelState.ACTIVE), activated_at=now)
    await models.save(promoted)
    return promoted


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
