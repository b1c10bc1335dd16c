"""Samples the pictures of a library, to calibrate a model by."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus, Variant
from domain.errors import BytesMissing, InvalidContent, Overloaded, UploadRefusal
from domain.use_cases.library.read import read_all
from domain.use_cases.library.walk import every_image

if TYPE_CHECKING:
    from domain.entities.images import Image, Pixels
    from domain.ports import Catalog, ExternalFiles, Imaging, Storage


@dataclass(frozen=True, slots=True)
class SamplePictures:
    """Decodes the originals of random READY images. Those that cannot be read are left out.

    The sample is uniform. Raises Unavailable.
    """

    catalog: Catalog
    storage: Storage
    external_files: ExternalFiles

    async def __call__(self, size: int, imaging: Imaging) -> list[Pixels]:
        """Return at most ``size`` pictures, at the size that the encoder of ``imaging`` needs."""
        pictures = []
        for image in await self._sample(size):
            try:
                pictures.append(await imaging.decode_pixels(await self._original(image)))
            except (BytesMissing, InvalidContent, UploadRefusal, Overloaded):
                continue
        return pictures

    async def _original(self, image: Image) -> bytes:
        if image.source:
            return await read_all(await self.external_files.open(image.source))
        return await read_all(await self.storage.open(Variant.ORIGINAL.key_of(image.id)))

    async def _sample(self, size: int) -> list[Image]:
        sample: list[Image] = []
        count = 0
        async for image in every_image(self.catalog):
            if image.status is not ImageStatus.READY:
                continue
            # Reservoir sampling (Vitter, 1985): every image has the same chance.
            index = random.randrange(count + 1)  # noqa: S311 - not for security
            count += 1
            if len(sample) < size:
                sample.append(image)
            elif index < size:
                sample[index] = image
        # A reservoir is not in random order, and parts of the sample should be alike.
        random.shuffle(sample)
        return sample
