"""Hashing the pictures that an earlier version took in, and comparing all, beside the server."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.errors import BytesMissing, UploadRefusal

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Duplicates, Imaging, Storage

BATCH = 20

AT_ONCE = 1_000
"""How many images are hashed before others have a turn: minutes' work, compared in seconds."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HashImages:
    """Give images without a perceptual hash one, from the original, as if they came in now.

    One after another, in line with the uploads. What was hashed is kept at once, so a stopped run
    goes on. A file that cannot be read is logged and passed over: another start of the server tries
    it again, as what was in the way may have passed.
    """

    imaging: Imaging
    storage: Storage
    duplicates: Duplicates
    _passed: list[UUID] = field(default_factory=list)
    """The last image that was looked at; none where none was."""

    async def __call__(self) -> int:
        """Hash the next that are without, and return how many those were, 0 after the last."""
        count = 0
        while count < AT_ONCE and (
            ids := await self.duplicates.unhashed(
                BATCH, after=self._passed[-1] if self._passed else None
            )
        ):
            for image_id in ids:
                await self._hash(image_id)
                self._passed[:] = [image_id]
            count += len(ids)
        return count

    async def _hash(self, image_id: UUID) -> None:
        try:
            picture = await self.imaging.decode(await self._original(image_id))
        except (UploadRefusal, BytesMissing) as error:
            logger.warning("image %s cannot be compared with others: %r", image_id, error)
            return
        await self.duplicates.set_hash(
            image_id,
            perceptual_hash=picture.perceptual_hash,
            pixel_sha256=picture.pixel_sha256,
        )

    async def _original(self, image_id: UUID) -> bytes:
        blob = await self.storage.open(Variant.ORIGINAL.key_of(image_id))
        async with aclosing(blob.chunks) as chunks:
            return b"".join([chunk async for chunk in chunks])
