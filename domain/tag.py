"""Putting tags on images, and taking them off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.tags import check_tags_fit, clean_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.images import Image
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class TagImages:
    """Add tags, and return the images that are here as they are now.

    Raises InvalidArgument for a bad tag, and where an image would have too many.
    """

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        added = clean_tags(tags, argument="input.tags")
        check_tags_fit((await self.catalog.get(ids)).values(), added, argument="input.tags")
        return await self.catalog.tag(ids, add=added)


@dataclass(frozen=True, slots=True)
class UntagImages:
    """Remove tags, and return the images that are here as they are now."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        return await self.catalog.tag(ids, remove=clean_tags(tags, argument="input.tags"))
