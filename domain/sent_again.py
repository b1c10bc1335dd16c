"""What becomes of an image whose bytes somebody sends again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.images import ImageStatus, Variant
from domain.tags import put_on

if TYPE_CHECKING:
    from domain.images import Image
    from domain.ports import Catalog, Storage


async def sent_again(
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
    tagged = await put_on(catalog, image, tags)
    if tagged is None or tagged.source is None:
        return tagged
    key = Variant.ORIGINAL.key_of(image.id)
    await storage.write(key, data, content_type=image.content_type)
    kept = await catalog.keep_original(image.id)
    if kept is None:
        await storage.delete([key])
    return kept
