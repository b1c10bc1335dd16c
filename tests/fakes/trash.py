"""The trash in memory, over the catalog in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus
from tests.fakes.catalog import MemoryCatalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.images import Image

# ruff: noqa: SLF001 - this fake reads the catalog's dictionaries as an adapter reads tables


@dataclass
class MemoryTrash:
    """The deleted images of a catalog."""

    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)

    async def add(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        missing = self.catalog.missing & set(ids)
        self.catalog.missing -= missing
        for id_ in missing:
            self.catalog._deleted[id_] = replace(self.catalog._deleted[id_], deleted_at=at)
        return missing | await self._move_in(ids, at)

    async def add_missing(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        """Move images into the trash as missing, and return the ids that were moved."""
        moved = await self._move_in(ids, at)
        self.catalog.missing |= moved
        return moved

    async def _move_in(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        live = set(await self.catalog.get(ids))
        for id_ in live:
            self.catalog._deleted[id_] = replace(self.catalog._images.pop(id_), deleted_at=at)
            if id_ in self.catalog.pending:
                self.catalog.pending.remove(id_)
        self.catalog.events.emit(*live)
        return live

    async def restore(self, ids: Sequence[UUID], *, are_copied: bool = False) -> dict[UUID, Image]:
        deleted = [id_ for id_ in dict.fromkeys(ids) if id_ in self.catalog._deleted]
        self.catalog.missing -= set(deleted)
        for id_ in deleted:
            image = replace(self.catalog._deleted.pop(id_), deleted_at=None)
            image = replace(image, source=None) if are_copied else image
            self.catalog._images[id_] = image
            if image.status is ImageStatus.PROCESSING or not self.catalog.is_embedded(id_):
                self.catalog.pending.append(id_)
        self.catalog.events.emit(*deleted)
        return await self.catalog.get(deleted)

    async def delete_expired(self, before: datetime, *, limit: int) -> Sequence[UUID]:
        deleted = [
            each for each in self.catalog._deleted.values() if each.id not in self.catalog.missing
        ]
        expired = [each.id for each in deleted if each.deleted_at and each.deleted_at <= before]
        return sorted(await self.catalog.delete(expired[:limit]))
