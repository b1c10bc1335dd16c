"""Uploads the bytes of an existing image again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.entities.tags import check_tags_fit

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Catalog, Storage, Trash


async def reupload(  # noqa: PLR0913 - the ports of both callers
    catalog: Catalog,
    trash: Trash,
    storage: Storage,
    image: Image,
    data: bytes,
    *,
    tags: tuple[str, ...],
) -> Image | None:
    """Return the image with these tags added; None where it was deleted, here or meanwhile.

    An image in the trash is restored. A replaceable image is deleted, so that its bytes are indexed
    again as a new image. The original of an image with an external source is copied: it was
    uploaded here, so it must not vanish with the source.
    """
    if image.is_replaceable:
        await catalog.delete([image.id])
        await storage.delete(Variant.keys_of([image.id]))
        return None
    if image.deleted_at is not None:
        restored = (await trash.restore([image.id])).get(image.id)
        if restored is None:
            return None
        image = restored
    tagged = await add_tags(catalog, image, tags)
    if tagged is None or tagged.source is None:
        return tagged
    key = Variant.ORIGINAL.key_of(image.id)
    await storage.write(key, data, content_type=image.content_type)
    copied = await catalog.mark_copied(image.id)
    if copied is None:
        await storage.delete([key])
    return copied


async def add_tags(catalog: Catalog, image: Image, tags: tuple[str, ...]) -> Image | None:
    """Return an image with these tags added to its own; None where it was deleted meanwhile."""
    if set(tags) <= set(image.tags):
        return image
    check_tags_fit([image], tags)
    return (await catalog.tag([image.id], add=tags)).get(image.id)
