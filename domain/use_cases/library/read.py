"""Reading the bytes of an image."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.errors import BytesMissing, ImageNotFound, InvalidContent

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.entities.storage import Blob, ByteRange
    from domain.ports import ExternalFiles, Storage


@dataclass(frozen=True, slots=True)
class ReadImage:
    """Start reading one form of an image: an original that was not copied, where it lies.

    Raises ImageNotFound where its bytes are gone, as they are while it is being deleted, or are
    others than were indexed, and
    ValueError for a range past the end.
    """

    storage: Storage
    sources: ExternalFiles

    async def __call__(
        self, image: Image, variant: Variant, *, byte_range: ByteRange | None = None
    ) -> Blob:
        if image.source is not None and variant is Variant.ORIGINAL:
            try:
                return await self.sources.open(image.source, byte_range)
            except (BytesMissing, InvalidContent):
                raise ImageNotFound(
                    f"The original of image {image.id} is not where it was, or has changed."
                ) from None
        try:
            return await self.storage.open(variant.key_of(image.id), byte_range)
        except BytesMissing:
            raise ImageNotFound(f"Image {image.id} is not here any more.") from None


async def read_all(blob: Blob) -> bytes:
    """Return all bytes of what is being read."""
    async with aclosing(blob.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])
