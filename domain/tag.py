"""Putting tags on images, and taking them off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.tags import clean_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.images import Image
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class TagImages:
    """Add tags, and return the images that are here as they are now."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        return await self.catalog.tag(ids, add=clean_tags(tags, argument="input.tags"))


@dataclass(frozen=True, slots=True)
class UntagImages:
    """Remove tags, and return the images that are here as they are now."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        return await self.catalog.tag(ids, remove=clean_tags(tags, argument="input.tags"))
