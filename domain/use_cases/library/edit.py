"""Edits images: updates, tags, deletion, restoration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.entities.tags import check_tags_fit, clean_tags
from domain.entities.trash import DEFAULT_TRASH_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from domain.entities.images import Image, ImageChanges
    from domain.ports import Catalog, Clock, Storage, Trash


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
    """Moves images into the trash, and returns the ids that were moved.

    Where the trash keeps nothing, deletes the images with their embeddings and files instead.
    """

    catalog: Catalog
    trash: Trash
    storage: Storage
    clock: Clock
    trash_lifetime: timedelta = DEFAULT_TRASH_LIFETIME

    async def __call__(self, ids: Sequence[UUID]) -> set[UUID]:
        if self.trash_lifetime:
            return await self.trash.add(ids, self.clock())
        deleted = await self.catalog.delete(ids)
        # Row first, bytes second: a crash between the two leaves bytes that a sweep collects, never
        # a row that points at nothing.
        await self.storage.delete(Variant.keys_of(deleted))
        return deleted


@dataclass(frozen=True, slots=True)
class RestoreImages:
    """Moves images out of the trash, and returns them by id. Other ids are left out."""

    trash: Trash

    async def __call__(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return await self.trash.restore(ids)
