"""Stores the renditions of an image, and its original."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.entities.images import RENDITION_CONTENT_TYPE, Variant

if TYPE_CHECKING:
    from domain.entities.images import Image, Picture
    from domain.ports import Storage


async def store(
    storage: Storage, image: Image, picture: Picture, *, original: bytes | None = None
) -> None:
    """Write the renditions that were made concurrently, and the original where it is given."""
    variants = [(Variant.THUMBNAIL, picture.thumbnail, RENDITION_CONTENT_TYPE)]
    if picture.large is not None:
        variants.append((Variant.LARGE, picture.large, RENDITION_CONTENT_TYPE))
    if original is not None:
        variants.append((Variant.ORIGINAL, original, picture.content_type))
    try:
        async with asyncio.TaskGroup() as writes:
            for variant, data, content_type in variants:
                key = variant.key_of(image.id)
                writes.create_task(storage.write(key, data, content_type=content_type))
    except ExceptionGroup as outage:
        raise outage.exceptions[0] from None
