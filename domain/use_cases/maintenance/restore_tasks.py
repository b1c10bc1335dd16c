"""Restores tasks that images lack, so that no image stays PROCESSING."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.ports import RepairQueue

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestoreTasks:
    """Adds the tasks that PROCESSING images lack, and returns their number.

    An image and its task are added together. This is the safety net for the rest, such as a model
    that was dropped in the same moment.
    """

    repair_queue: RepairQueue

    async def __call__(self) -> int:
        if count := await self.repair_queue.restore_tasks():
            logger.warning("%s images were PROCESSING without a task; they have one now", count)
        return count
