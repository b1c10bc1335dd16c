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

    An image in the trash is restored, once its original is here. A replaceable image is deleted, so
    that its bytes are indexed again as a new image. The original of an image with an external
    source is copied: it was uploaded here, so it must not vanish with the source.
    """
    if image.is_replaceable:
        await catalog.delete([image.id])
        await storage.delete(Variant.keys_of([image.id]))
        return None
    # Whatever fails up to here leaves an image in the trash there.
    check_tags_fit([image], tags)
    key = Variant.ORIGINAL.key_of(image.id)
    if image.source is not None:
        await storage.write(key, data, content_type=image.content_type)
    kept = await _kept(catalog, trash, image)
    if kept is not None:
        return await add_tags(catalog, kept, tags)
    # An image that was moved into or out of the trash meanwhile keeps its bytes.
    if image.source is not None and not await catalog.existing_ids([image.id]):
        await storage.delete([key])
    return None


async def _kept(catalog: Catalog, trash: Trash, image: Image) -> Image | None:
    """Return the image live, with its original here; None where it was deleted or restored."""
    if image.deleted_at is not None:
        # At once, so that a crash leaves no live image whose original is a file that has vanished.
        return (await trash.restore([image.id], are_copied=True)).get(image.id)
    return image if image.source is None else await catalog.mark_copied(image.id)


async def add_tags(catalog: Catalog, image: Image, tags: tuple[str, ...]) -> Image | None:
    """Return an image with these tags added to its own; None where it was deleted meanwhile."""
    if set(tags) <= set(image.tags):
        return image
    check_tags_fit([image], tags)
    return (await catalog.tag([image.id], add=tags)).get(image.id)
