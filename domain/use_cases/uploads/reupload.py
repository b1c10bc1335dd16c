"""What becomes of an image whose bytes somebody sends again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Catalog


from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus, Variant
from domain.entities.tags import (
    check_tags_fit,
)

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Catalog, Storage


async def reupload(
    catalog: Catalog, storage: Storage, image: Image, data: bytes, *, tags: tuple[str, ...]
) -> Image | None:
    """Return the image with these tags; None when it is gone, or has failed and is removed.

    One that has FAILED makes room, so that its bytes get another chance. One whose original was
    never copied gets it: what was sent here is not to vanish with what lies elsewhere.
    """
    if image.status is ImageStatus.FAILED:
        await catalog.delete([image.id])
        await storage.delete([variant.key_of(image.id) for variant in Variant])
        return None
    tagged = await add_tags(catalog, image, tags)
    if tagged is None or tagged.source is None:
        return tagged
    key = Variant.ORIGINAL.key_of(image.id)
    await storage.write(key, data, content_type=image.content_type)
    kept = await catalog.mark_copied(image.id)
    if kept is None:
        await storage.delete([key])
    return kept


async def add_tags(catalog: Catalog, image: Image, tags: tuple[str, ...]) -> Image | None:
    """Return an image with these tags, beside those that it has; None when it is gone."""
    if set(tags) <= set(image.tags):
        return image
    check_tags_fit([image], tags)
    return (await catalog.tag([image.id], add=tags)).get(image.id)
