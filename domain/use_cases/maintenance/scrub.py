"""Scrubs originals: reads each again from time to time, since storage loses bits silently."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.faults import DEFAULT_SCRUB_LIFETIME, Fault
from domain.entities.images import Variant
from domain.errors import BytesMissing, InvalidContent, Unavailable

if TYPE_CHECKING:
    from datetime import timedelta

    from domain.entities.images import Image
    from domain.ports import Clock, ExternalFiles, Scrubs, Storage

SCRUB_BATCH_SIZE = 100
"""How many originals are looked up at a time."""

SCRUB_BYTES_PER_SECOND = 10 << 20
"""The rate of a server. It reads 25 TB in a month, and leaves most of a disk to other readers."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckOriginal:
    """Reads an original to its end, and returns what is wrong with it. Notes time and result."""

    storage: Storage
    external_files: ExternalFiles
    scrubs: Scrubs
    clock: Clock

    async def __call__(self, image: Image) -> Fault | None:
        fault = await self._read(image)
        await self.scrubs.record(image.id, self.clock(), fault)
        return fault

    async def _read(self, image: Image) -> Fault | None:
        digest = hashlib.sha256()
        try:
            if image.source:
                blob = await self.external_files.open(image.source)
            else:
                blob = await self.storage.open(Variant.ORIGINAL.key_of(image.id))
            async with aclosing(blob.chunks) as chunks:
                async for chunk in chunks:
                    digest.update(chunk)
        except (BytesMissing, InvalidContent):  # InvalidContent: reading is not permitted
            return Fault.NO_SOURCE if image.source else Fault.NO_ORIGINAL
        if digest.hexdigest() == image.sha256:
            return None
        return Fault.NO_SOURCE if image.source else Fault.DAMAGED


@dataclass(frozen=True, slots=True)
class Scrub:
    """Reads the originals that are due, at a bounded rate, and returns their number.

    An interrupted run loses one reading: the next continues with what was not read for longest.
    Raises Unavailable after a batch of which an original could not be read.
    """

    scrubs: Scrubs
    check_original: CheckOriginal
    clock: Clock
    lifetime: timedelta = DEFAULT_SCRUB_LIFETIME
    """Zero: nothing is ever due."""
    bytes_per_second: int = SCRUB_BYTES_PER_SECOND

    async def __call__(self) -> int:
        count = 0
        while self.lifetime and (
            due := await self.scrubs.due(self.clock() - self.lifetime, limit=SCRUB_BATCH_SIZE)
        ):
            # In random order: servers that scrub at the same time seldom read the same original.
            faulty, outage = [], None
            for image in random.sample(due, len(due)):
                try:
                    if await self.check_original(image):
                        faulty.append(image.id)
                except Unavailable as error:
                    # A sector that cannot be read must not keep the others from being read.
                    outage = error
                await asyncio.sleep(image.byte_size / self.bytes_per_second)
            if faulty:
                logger.error(
                    "%s of %s originals that were read again are missing or damaged, among them "
                    "that of image %s",
                    len(faulty),
                    len(due),
                    faulty[0],
                )
            if outage:
                raise outage
            count += len(due)
        return count
