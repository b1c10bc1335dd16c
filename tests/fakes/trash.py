"""The trash in memory, over the catalog in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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
        live = set(await self.catalog.get(ids))
        for id_ in live:
            self.catalog._deleted[id_] = replace(self.catalog._images.pop(id_), deleted_at=at)
            if id_ in self.catalog.pending:
                self.catalog.pending.remove(id_)
        self.catalog.events.emit(*live)
        return live

    async def restore(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        deleted = [id_ for id_ in dict.fromkeys(ids) if id_ in self.catalog._deleted]
        for id_ in deleted:
            self.catalog._images[id_] = replace(self.catalog._deleted.pop(id_), deleted_at=None)
            if not self.catalog.is_embedded(id_):
                self.catalog.pending.append(id_)
        self.catalog.events.emit(*deleted)
        return await self.catalog.get(deleted)

    async def delete_expired(self, before: datetime, *, limit: int) -> Sequence[UUID]:
        deleted = self.catalog._deleted.values()
        expired = [each.id for each in deleted if each.deleted_at and each.deleted_at <= before]
        return sorted(await self.catalog.delete(expired[:limit]))
