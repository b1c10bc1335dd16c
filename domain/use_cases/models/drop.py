"""Dropping a model from a library."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.errors import InvalidArgument
from domain.use_cases.models.find import active_model, find_model, model_with_id

if TYPE_CHECKING:
    from domain.entities.models import StoredModel
    from domain.ports import ModelChanges, ModelTransaction

DROP_NOTICE_SECONDS = 3.0
"""How long servers have to stop using a model before its embeddings are deleted."""


@dataclass(frozen=True, slots=True)
class DropModel:
    """Retire a model and delete everything that it has computed. A killed drop can be repeated.

    Its tasks on images that are not READY move to the ACTIVE model. Raises InvalidArgument for the
    ACTIVE model itself.
    """

    changes: ModelChanges
    notice_seconds: float = DROP_NOTICE_SECONDS

    async def __call__(self, name: str) -> StoredModel:
        model, was_live = await self.changes.run(partial(_retire, name=name))
        if was_live:
            await asyncio.sleep(self.notice_seconds)
        # Most of the rows go first, outside the lock: it takes long.
        await self.changes.delete_derived(model.id)
        await self.changes.run(partial(_delete, model_id=model.id))
        return model


async def _retire(models: ModelTransaction, *, name: str) -> tuple[StoredModel, bool]:
    """Return the model, RETIRED, and whether it was live until now."""
    model = find_model(await models.list(), name, list_retired=True)
    if model.is_active:
        raise InvalidArgument(
            ("name",), f"{model.name} is active; promote another model first, or roll back to one."
        )
    if not model.is_live:
        return model, False
    retired = model.moved_to(ModelState.RETIRED)
    await models.save(retired)
    return retired, True


async def _delete(models: ModelTransaction, *, model_id: int) -> None:
    stored = await models.list()
    model, active = model_with_id(stored, model_id), active_model(stored)
    if model.is_live:
        # It was added again in the meantime.
        return
    if active is not None:
        await models.reassign(model.id, active.id)
    await models.delete_embeddings(model)
