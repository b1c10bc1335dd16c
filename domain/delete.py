"""Deleting images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.images import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.ports import Catalog, Storage


@dataclass(frozen=True, slots=True)
class DeleteImages:
    """Delete images with all that was made of them, and return the ids that were here."""

    catalog: Catalog
    storage: Storage

    async def __call__(self, ids: Sequence[UUID]) -> set[UUID]:
        deleted = await self.catalog.delete(ids)
        # Row first, bytes second: nothing points at bytes that are gone, and what a crash
        # leaves is swept.
        await self.storage.delete(
            [variant.key_of(image_id) for image_id in deleted for variant in Variant]
        )
        return deleted
