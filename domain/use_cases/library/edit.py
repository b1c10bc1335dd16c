"""Edits images: updates, tags, deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.entities.tags import check_tags_fit, clean_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image, ImageChanges
    from domain.ports import Catalog, Storage


@dataclass(frozen=True, slots=True)
class UpdateImage:
    """Changes facts of an image, and returns it. Raises ImageNotFound."""

    catalog: Catalog

    async def __call__(self, image_id: UUID, changes: ImageChanges) -> Image:
        return await self.catalog.update(image_id, changes)


@dataclass(frozen=True, slots=True)
class TagImages:
    """Adds tags, and returns the images that exist, by id.

    Raises InvalidArgument for an invalid tag, and where an image would have too many tags.
    """

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        added = clean_tags(tags)
        check_tags_fit((await self.catalog.get(ids)).values(), added)
        return await self.catalog.tag(ids, add=added)


@dataclass(frozen=True, slots=True)
class UntagImages:
    """Removes tags, and returns the images that exist, by id. Raises InvalidArgument."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID], tags: Sequence[str]) -> dict[UUID, Image]:
        return await self.catalog.tag(ids, remove=clean_tags(tags))


@dataclass(frozen=True, slots=True)
class DeleteImages:
    """Deletes images with their embeddings and files, and returns the ids that were deleted."""

    catalog: Catalog
    storage: Storage

    async def __call__(self, ids: Sequence[UUID]) -> set[UUID]:
        deleted = await self.catalog.delete(ids)
        # Row first, bytes second: a crash between the two leaves bytes that a sweep collects, never
        # a row that points at nothing.
        await self.storage.delete(Variant.keys_of(deleted))
        return deleted
