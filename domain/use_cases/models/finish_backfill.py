"""Finishing the backfill of a model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.use_cases.models.find import model_with_id

if TYPE_CHECKING:
    from datetime import datetime

    from domain.entities.models import StoredModel
    from domain.ports import Clock, ModelChanges, Models, ModelTransaction

logger = logging.getLogger(__name__)

CUTOFF_LIFETIME = timedelta(minutes=5)
"""After so long, a backfill has to be complete for the images of a later moment."""


@dataclass(frozen=True, slots=True)
class FinishBackfill:
    """Make a BACKFILLING model READY if no task is left, and return whether the model is READY.

    New images arrive all the time, so a backfill is complete when no task is left on the images
    that were READY at one moment, the cutoff. Before that counts, missing tasks are enqueued; after
    it, the index is built, by one process at a time, which may take long. A killed run can be
    repeated.
    """

    models: Models
    changes: ModelChanges
    clock: Clock
    _cutoffs: dict[int, datetime] = field(default_factory=dict)
    """By model id."""

    async def __call__(self, model_id: int) -> bool:
        model = model_with_id(await self.models.list(), model_id)
        if model.state is not ModelState.BACKFILLING:
            return model.is_live
        ready_for = self._time_since_cutoff(model_id)
        async with self.changes.backfill(model_id) as backfill:
            if backfill is None or await backfill.has_waiting(ready_for=ready_for):
                return False
            # It scans all images, so it waits until the queue is empty.
            await backfill.enqueue_missing()
            if await backfill.has_waiting(ready_for=ready_for):
                return False
            await backfill.build_index()
        finished = await self.changes.run(partial(_finish, model_id=model_id))
        self._cutoffs.pop(model_id, None)
        return finished.is_live

    def _time_since_cutoff(self, model_id: int) -> timedelta:
        now = self.clock()
        cutoff = self._cutoffs.setdefault(model_id, now)
        if now - cutoff > CUTOFF_LIFETIME:
            cutoff = self._cutoffs[model_id] = now
        # As an age, since the clocks of this process and of the database may differ.
        return now - cutoff


async def _finish(models: ModelTransaction, *, model_id: int) -> StoredModel:
    model = model_with_id(await models.list(), model_id)
    if model.state is not ModelState.BACKFILLING:
        # It was dropped or finished by another process in the meantime.
        return model
    finished = model.moved_to(ModelState.READY)
    await models.save(finished)
    logger.info("%s is ready", model.name)
    return finished
