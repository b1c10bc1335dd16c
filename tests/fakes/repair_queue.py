"""The repair queue in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.faults import Fault
from domain.entities.images import ImageStatus
from domain.entities.work import MAX_ATTEMPTS
from tests.fakes.work_queue import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.work_queue import MemoryWorkQueue


@dataclass
class MemoryRepairQueue:
    """Over a catalog and the work queue of its one model."""

    catalog: MemoryCatalog
    work_queue: MemoryWorkQueue

    async def unembedded(self) -> Sequence[UUID]:
        return [
            image.id
            for image in self.catalog.all()
            if image.status is not ImageStatus.FAILED
            and not self.catalog.is_embedded(image.id)
            and not self.work_queue.has_task(image.id)
        ]

    async def enqueue_unembedded(self) -> int:
        unembedded = await self.unembedded()
        for image in (await self.catalog.get(unembedded)).values():
            self.work_queue.add(image)
        return len(unembedded)

    async def reprocess(self, ids: Sequence[UUID]) -> int:
        for image in (await self.catalog.get(ids)).values():
            again = replace(image, status=ImageStatus.PROCESSING)
            self.catalog.put(again)
            self.work_queue.add(again)
        return len(ids)

    async def violations(self) -> Mapping[Fault, Sequence[UUID]]:
        unbounded = [
            id_
            for id_, entry in self.work_queue.entries.items()
            if entry.attempts > MAX_ATTEMPTS + 1 and entry.due_at != NEVER
        ]
        return {Fault.UNBOUNDED: unbounded} if unbounded else {}

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        for image in (await self.catalog.get(ids)).values():
            failed = replace(image, status=ImageStatus.FAILED, failure_reason=reason)
            self.catalog.put(failed, ())
        self.catalog.fail_deleted(ids, reason)
        return len(ids)

    async def restore_tasks(self) -> int:
        lacking = [
            image
            for image in self.catalog.all()
            if image.status is ImageStatus.PROCESSING and not self.work_queue.has_task(image.id)
        ]
        for image in lacking:
            self.work_queue.add(image)
        return len(lacking)
