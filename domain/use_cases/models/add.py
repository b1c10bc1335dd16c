"""Adding a model to a library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.errors import Misconfigured, Remedy
from domain.use_cases.models.find import active_model, model_with_id

if TYPE_CHECKING:
    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import StoredModel
    from domain.ports import ModelChanges, ModelTransaction


@dataclass(frozen=True, slots=True)
class AddModel:
    """Start the backfill of a model, which may have been dropped before. Idempotent.

    For a live model it updates the source and enqueues the tasks that are missing. Raises
    Misconfigured while the library has no ACTIVE model.
    """

    changes: ModelChanges

    async def __call__(self, model: EmbeddingModel, source: str) -> StoredModel:
        added = await self.changes.run(partial(_start_backfill, model=model, source=source))
        # In a transaction of its own: the first may be retried, and scanning all images takes long.
        return await self.changes.run(partial(_enqueue, model_id=added.id))


async def _start_backfill(
    models: ModelTransaction, *, model: EmbeddingModel, source: str
) -> StoredModel:
    if active_model(await models.list()) is None:
        raise Misconfigured("The library has no model yet.").with_remedy(Remedy.START_SERVER)
    stored = await models.register(model, source)
    if stored.is_live:
        return stored
    await models.create_embeddings(stored)
    # In the same transaction as the table: a drop that is still running keeps both from now on.
    added = replace(stored.moved_to(ModelState.BACKFILLING), activated_at=None)
    await models.save(added)
    return added


async def _enqueue(models: ModelTransaction, *, model_id: int) -> StoredModel:
    stored = model_with_id(await models.list(), model_id)
    if stored.is_live:
        await models.enqueue_missing(stored.id)
    return stored
