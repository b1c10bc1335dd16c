"""Backfills the perceptual hashes of images that an earlier version indexed without them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.errors import BytesMissing, Overloaded, UploadRefusal
from domain.use_cases.library.read import read_all

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Duplicates, Imaging, Storage

HASH_BATCH_SIZE = 20
"""How many ids are read at a time."""

MAX_IMAGES_PER_RUN = 1_000
"""Some minutes' work. The new hashes are compared after each run, which takes seconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HashImages:
    """Computes the missing hashes from the originals, one image after another.

    Each hash is stored at once, so a stopped run loses nothing. A file that cannot be read is
    logged and skipped until the next start of the process, as an outage may be the cause.
    """

    imaging: Imaging
    storage: Storage
    duplicates: Duplicates
    _after: list[UUID] = field(default_factory=list)
    """The keyset cursor: the id of the last image that was tried, or empty at the start."""

    async def __call__(self) -> int:
        """Hash some images, and return how many were tried: 0 when none are left."""
        count = 0
        while count < MAX_IMAGES_PER_RUN and (
            ids := await self.duplicates.unhashed(
                HASH_BATCH_SIZE, after=self._after[-1] if self._after else None
            )
        ):
            for image_id in ids:
                await self._hash(image_id)
                self._after[:] = [image_id]
            count += len(ids)
        return count

    async def _hash(self, image_id: UUID) -> None:
        try:
            blob = await self.storage.open(Variant.ORIGINAL.key_of(image_id))
            picture = await self.imaging.decode(await read_all(blob), with_large=False)
        except (UploadRefusal, Overloaded, BytesMissing) as error:
            logger.warning("image %s is not compared with others: %r", image_id, error)
            return
        await self.duplicates.set_hash(
            image_id,
            perceptual_hash=picture.perceptual_hash,
            pixel_sha256=picture.pixel_sha256,
        )
