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
from domain.errors import AccessRefused, BytesMissing, InvalidContent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from domain.entities.images import Image
    from domain.ports import Clock, ExternalFiles, Scrubs, Storage

SCRUB_BATCH_SIZE = 100
"""How many originals are looked up at a time."""

SCRUB_BYTES_PER_SECOND = 10 << 20
"""The rate of a server. It reads 25 TB in a month, and leaves most of a disk to other readers."""

MAX_UNREADABLE_TRIES = 10
"""How many originals of a batch are tried while none can be read. A store that does not answer
takes half a minute for each."""

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
        except (BytesMissing, InvalidContent) as error:
            # InvalidContent: reading is not permitted. A bucket may refuse all of its objects,
            # which says nothing about this one.
            if isinstance(error.__cause__, AccessRefused):
                raise error.__cause__ from error
            return Fault.NO_SOURCE if image.source else Fault.NO_ORIGINAL
        if digest.hexdigest() == image.sha256:
            return None
        return Fault.NO_SOURCE if image.source else Fault.DAMAGED


@dataclass(frozen=True, slots=True)
class Scrub:
    """Reads the originals that are due, at a bounded rate, and returns how many could be read.

    An interrupted run loses one reading: the next continues with what was not read for longest.
    Goes on past originals that cannot be read, and raises the last of their errors at the end.
    """

    scrubs: Scrubs
    check_original: CheckOriginal
    clock: Clock
    lifetime: timedelta = DEFAULT_SCRUB_LIFETIME
    """Zero: nothing is ever due."""
    bytes_per_second: int = SCRUB_BYTES_PER_SECOND

    async def __call__(self) -> int:
        count = 0
        after = outage = None
        is_away = False
        while self.lifetime and (
            due := await self.scrubs.due(
                self.clock() - self.lifetime, after=after, limit=SCRUB_BATCH_SIZE
            )
        ):
            # What could not be read is still due: the next page begins behind it.
            after = due[-1]
            read_count, error = await self._read([original.image for original in due])
            count += read_count
            outage = error or outage
            # The store may be away. It may also be one disk or bucket of several, whose originals
            # are due one after another because they were imported together: a run that ended here,
            # or waited, would come late to the others.
            if read_count == 0 and not is_away:
                logger.warning("no original of %s could be read (%s)", len(due), error)
            is_away = read_count == 0
        if outage:
            raise outage
        return count

    async def _read(self, images: Sequence[Image]) -> tuple[int, Exception | None]:
        """Read originals; return how many could be read, and an error that kept others from it."""
        faulty, read_count, outage = [], 0, None
        # In random order: servers that scrub at the same time seldom read the same original.
        for tries, image in enumerate(random.sample(images, len(images))):
            if read_count == 0 and tries == MAX_UNREADABLE_TRIES:
                # The others of the batch are still due, too.
                break
            try:
                if await self.check_original(image):
                    faulty.append(image.id)
                read_count += 1
            except Exception as error:  # noqa: BLE001 - raised at the end
                # A sector or folder that cannot be read must not keep the others from being read.
                outage = error
            await asyncio.sleep(image.byte_size / self.bytes_per_second)
        if faulty:
            logger.error(
                "%s of %s originals that were read again are missing or damaged, among them "
                "that of image %s",
                len(faulty),
                read_count,
                faulty[0],
            )
        return read_count, outage
