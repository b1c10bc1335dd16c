"""Reads the bytes of an image."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus, Variant
from domain.entities.storage import Blob
from domain.errors import BytesMissing, ImageNotFound, ImageProcessing, InvalidContent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from domain.entities.images import Image, Source
    from domain.entities.storage import ByteRange
    from domain.ports import ExternalFiles, Storage


@dataclass(frozen=True, slots=True)
class ReadImage:
    """Opens a variant of an image. An original that was not copied is opened at its source.

    LARGE is rendered where it is missing and can be made of the original.
    Raises ImageNotFound where the bytes are gone, also while the image is being deleted, or where
    the source has changed since it was indexed. Raises ImageProcessing where they are not made yet,
    and ValueError for a range past the end.
    """

    storage: Storage
    external_files: ExternalFiles
    render_large: Callable[[Image], Awaitable[bytes]]
    """Stores and returns LARGE. Raises ImageNotFound where it cannot be made."""

    async def __call__(
        self, image: Image, variant: Variant, *, byte_range: ByteRange | None = None
    ) -> Blob:
        if image.source is not None and variant is Variant.ORIGINAL:
            return await open_source(self.external_files, image, image.source, byte_range)
        key = variant.key_of(image.id)
        try:
            return await self.storage.open(key, byte_range)
        except BytesMissing:
            if not image.offers(variant) and image.status is ImageStatus.PROCESSING:
                raise ImageProcessing(
                    f"{variant.name} of image {image.id} is not made yet; request it again when "
                    "the image is READY."
                ) from None
            if variant is not Variant.LARGE:
                raise files_missing(image) from None
        return _blob_of(await self.render_large(image), byte_range)


async def open_source(
    external_files: ExternalFiles,
    image: Image,
    source: Source,
    byte_range: ByteRange | None = None,
) -> Blob:
    """Open the original of an image that was not copied. Raises ImageNotFound."""
    try:
        return await external_files.open(source, byte_range)
    except (BytesMissing, InvalidContent):
        raise ImageNotFound(
            f"The original of image {image.id} is missing at its source, or has changed "
            "there; import it again."
        ) from None


def files_missing(image: Image) -> ImageNotFound:
    """Return the refusal for an image without a file."""
    return ImageNotFound(
        f"The file of image {image.id} is missing; the image may have been deleted."
    )


def _blob_of(data: bytes, byte_range: ByteRange | None) -> Blob:
    """Return bytes as an object that is being read."""
    first, count = byte_range.within(len(data)) if byte_range else (0, len(data))
    return Blob(len(data), _chunks_of(data[first : first + count]))


async def _chunks_of(data: bytes) -> AsyncGenerator[bytes]:
    yield data


async def read_all(blob: Blob) -> bytes:
    """Read an object to the end, and return its bytes."""
    async with aclosing(blob.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])
