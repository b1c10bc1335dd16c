"""When each original was last read, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.faults import DueOriginal
from domain.entities.images import ImageStatus
from tests.fakes.catalog import MemoryCatalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.faults import Fault
    from domain.entities.images import Image


@dataclass
class MemoryScrubs:
    """The readings of a catalog's originals."""

    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    read: dict[UUID, tuple[datetime, Fault | None]] = field(default_factory=dict)

    async def due(
        self, before: datetime, *, after: DueOriginal | None = None, limit: int
    ) -> Sequence[DueOriginal]:
        due = [DueOriginal(image, self._last_read(image)) for image in self._checked()]
        return sorted(
            (
                original
                for original in due
                if original.last_read_at < before
                and (after is None or _place(original) > _place(after))
            ),
            key=_place,
        )[:limit]

    async def faulty(self) -> Sequence[Image]:
        read = self.read
        return [image for image in self._checked() if image.id in read and read[image.id][1]]

    async def record(self, image_id: UUID, at: datetime, fault: Fault | None) -> None:
        self.read[image_id] = (at, fault)

    def _last_read(self, image: Image) -> datetime:
        return self.read.get(image.id, (image.created_at, None))[0]

    def _checked(self) -> list[Image]:
        stored = self.catalog._stored()  # noqa: SLF001 - as an adapter reads tables
        return [
            image
            for image in stored
            if image.status is not ImageStatus.FAILED and image.id not in self.catalog.missing
        ]


def _place(original: DueOriginal) -> tuple[datetime, UUID]:
    return original.last_read_at, original.image.id
