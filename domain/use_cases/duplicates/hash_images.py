"""Backfills the hashes of images that an earlier version indexed without them, or with others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.errors import ImageNotFound, Overloaded, Unavailable, UploadRefusal
from domain.use_cases.library.read import read_all

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Duplicates, Imaging
    from domain.use_cases.library.read import ReadImage

HASH_BATCH_SIZE = 20
"""How many ids are read at a time."""

MAX_IMAGES_PER_RUN = 1_000
"""Some minutes' work. The new hashes are compared after each run, which takes seconds."""

MAX_FAILED = 1_000
"""How many images that cannot be read are remembered. Where there are more, no image is tried a
second time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HashImages:
    """Computes the missing hashes from the originals, one image after another.

    Each hash is stored at once, so a stopped run loses nothing. A file that cannot be read is
    logged and skipped until the next start of the process, as an outage may be the cause. An outage
    of the library's own storage is raised: it concerns all images.
    """

    imaging: Imaging
    read: ReadImage
    duplicates: Duplicates
    _after: list[UUID] = field(default_factory=list)
    """The keyset cursor: the id of the last image that was tried, or empty at the start."""
    _failed: set[UUID] = field(default_factory=set)
    """Images that are not tried again."""

    async def __call__(self) -> int:
        """Hash some images, and return how many were tried: 0 when none are left."""
        count = 0
        while count < MAX_IMAGES_PER_RUN and (
            images := await self.duplicates.unhashed(
                HASH_BATCH_SIZE, after=self._after[-1] if self._after else None
            )
        ):
            for image in images:
                if image.id not in self._failed:
                    await self._hash(image)
                    count += 1
                self._after[:] = [image.id]
        if count < MAX_IMAGES_PER_RUN and len(self._failed) < MAX_FAILED:
            # Begins again at the front: an image may come back that was missing.
            self._after.clear()
        return count

    async def _hash(self, image: Image) -> None:
        try:
            blob = await self.read(image, Variant.ORIGINAL)
            picture = await self.imaging.decode(await read_all(blob), with_large=False)
        except (UploadRefusal, Overloaded, ImageNotFound, Unavailable) as error:
            if isinstance(error, Unavailable) and image.source is None:
                raise
            logger.warning("image %s is not compared with others: %r", image.id, error)
            if len(self._failed) < MAX_FAILED:
                self._failed.add(image.id)
            return
        await self.duplicates.set_hash(
            image.id,
            perceptual_hash=picture.perceptual_hash,
            pixel_sha256=picture.pixel_sha256,
        )
