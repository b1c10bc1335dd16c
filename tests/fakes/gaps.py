"""What the library in memory lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.work import MemoryWorkQueue


@dataclass
class MemoryRepairQueue:
    """Gaps of a catalog and the work of its one model."""

    catalog: MemoryCatalog
    work: MemoryWorkQueue

    async def unembedded(self) -> Sequence[UUID]:
        return [
            image.id
            for image in self.catalog.all()
            if image.status is not ImageStatus.FAILED
            and not self.catalog.is_embedded(image.id)
            and not self.work.is_on(image.id)
        ]

    async def enqueue_unembedded(self) -> int:
        lacking = await self.unembedded()
        for image in (await self.catalog.get(lacking)).values():
            self.work.add(image)
        return len(lacking)

    async def reprocess(self, ids: Sequence[UUID]) -> int:
        for image in (await self.catalog.get(ids)).values():
            again = replace(image, status=ImageStatus.PROCESSING)
            self.catalog.put(again)
            self.work.add(again)
        return len(ids)

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        for image in (await self.catalog.get(ids)).values():
            failed = replace(image, status=ImageStatus.FAILED, failure_reason=reason)
            self.catalog.put(failed, ())
        return len(ids)
