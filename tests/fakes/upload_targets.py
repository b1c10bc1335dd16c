"""Upload targets in memory, over the catalog in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.fakes.catalog import MemoryCatalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.upload_targets import UploadTarget


@dataclass
class MemoryUploadTargets:
    """A dictionary of targets."""

    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    kept: dict[UUID, UploadTarget] = field(default_factory=dict)

    async def save(self, targets: Sequence[UploadTarget]) -> None:
        for target in targets:
            is_deleted = target.image_id and not await self.catalog.get([target.image_id])
            self.kept[target.id] = replace(target, image_id=None) if is_deleted else target

    async def find(self, target_id: UUID) -> UploadTarget | None:
        target = self.kept.get(target_id)
        if target and target.image_id and not await self.catalog.get([target.image_id]):
            del self.kept[target_id]
        return self.kept.get(target_id)

    async def complete(self, target_id: UUID, image_id: UUID, *, is_duplicate: bool) -> None:
        target = await self.find(target_id)
        if target and target.image_id is None and await self.catalog.get([image_id]):
            self.kept[target_id] = replace(target, image_id=image_id, is_duplicate=is_duplicate)

    async def delete_expired(self, expired_by: datetime) -> list[UUID]:
        old = [target.id for target in self.kept.values() if target.expires_at <= expired_by]
        for target_id in old:
            del self.kept[target_id]
        return old
