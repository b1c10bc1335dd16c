"""Changing what is said about an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.ports import Catalog, Storage


from typing import TYPE_CHECKING

from domain.entities.tags import check_tags_fit, clean_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog


from typing import TYPE_CHECKING

from domain.entities.text import check_text
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog

MAX_ALT_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class UpdateImage:
    """Set or, with None or a blank one, remove the alt text. Raises ImageNotFound."""

    catalog: Catalog

    async def __call__(self, image_id: UUID, *, alt_text: str | None) -> Image:
        cleaned = (alt_text or "").strip()
        if len(cleaned) > MAX_ALT_TEXT:
            raise InvalidArgument(
                "input.altText",
                f"The alt text has {len(cleaned):,} characters; at most {MAX_ALT_TEXT:,} fit.",
            )
        check_text("input.altText", "The alt text", text=cleaned)
        return await self.catalog.set_alt_text(image_id, cleaned or None)


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
