"""The index of a model during a first load: dropped before it, and built when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from domain.use_cases.models.find import model_with_id

if TYPE_CHECKING:
    from domain.ports import ModelChanges, Models, ModelTransaction


@dataclass(frozen=True, slots=True)
class DeferIndex:
    """Drop the index of a model without embeddings, and return whether it had none.

    To update an index with each of many images takes longer than to build it once. Searches are
    exact meanwhile. ``BuildIndex`` ends that, and so does ``BuildDueIndexes`` where the process of
    the load was killed.
    """

    changes: ModelChanges

    async def __call__(self, model_id: int) -> bool:
        return await self.changes.run(partial(_drop_index_of_empty, model_id=model_id))


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """Build the index of a model if it is missing, unless another process builds it already."""

    changes: ModelChanges

    async def __call__(self, model_id: int) -> None:
        async with self.changes.backfill(model_id) as backfill:
            if backfill is not None:
                await backfill.build_index()


@dataclass(frozen=True, slots=True)
class BuildDueIndexes:
    """Build each index that is missing though its model's load has ended, or has grown large."""

    models: Models
    changes: ModelChanges

    async def __call__(self) -> None:
        # Counting embeddings and tasks takes longer than to look for indexes, which are there.
        if unindexed := await self.models.unindexed():
            due = {each.name for each in await self.models.statuses() if each.is_index_due}
            for model in unindexed:
                if model.name in due:
                    await BuildIndex(self.changes)(model.id)


async def _drop_index_of_empty(models: ModelTransaction, *, model_id: int) -> bool:
    if await models.has_embeddings(model_id):
        return False
    await models.create_embeddings(model_with_id(await models.list(), model_id))
    return True
