"""Reading the bytes of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import BytesMissing, ImageNotFound

if TYPE_CHECKING:
    from domain.images import Image, Variant
    from domain.ports import Storage
    from domain.storage import Blob, ByteRange


@dataclass(frozen=True, slots=True)
class ReadImage:
    """Start reading one form of an image.

    Raises ImageNotFound where its bytes are gone, as they are while it is being deleted, and
    ValueError for a range past the end.
    """

    storage: Storage

    async def __call__(
        self, image: Image, variant: Variant, *, byte_range: ByteRange | None = None
    ) -> Blob:
        try:
            return await self.storage.open(variant.key_of(image.id), byte_range)
        except BytesMissing:
            raise ImageNotFound(f"Image {image.id} is not here any more.") from None
