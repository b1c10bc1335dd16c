"""Looking for what a library lacks, and mending it on request."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus, Variant
from domain.entities.listing import Sort, Window, position_of
from domain.entities.storage import parse_key
from domain.errors import BytesMissing, InvalidContent, Misconfigured, Remedy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog, ExternalFiles, RepairQueue, Storage

PORTION = 500

EXAMPLES = 5
"""How many images of a kind are named; the rest are counted."""

AT_ONCE = 8
"""How many originals are read at once."""

SAMPLE = 100
"""How many originals are read to the end where nothing else is said."""

LOST = "Its original is lost; upload it again."
DAMAGED = "Its original is damaged; upload it again."


class Fault(StrEnum):
    """What may be wrong with an image."""

    UNEMBEDDED = "not embedded, and nobody is going to"
    NO_RENDITION = "LARGE or THUMBNAIL is missing"
    NO_ORIGINAL = "the original is missing"
    NO_SOURCE = "the original cannot be read where it lay, or has changed there"
    DAMAGED = "the original is not what it was"


@dataclass(slots=True)
class Faults:
    """What was found: how many images of each kind, and some of them."""

    images: int = 0
    originals_read: int = 0
    counts: Counter[Fault] = field(default_factory=Counter)
    examples: dict[Fault, list[UUID]] = field(default_factory=dict)
    mended: int = 0

    def add(self, fault: Fault, image_id: UUID) -> None:
        """Count an image."""
        self.counts[fault] += 1
        if len(named := self.examples.setdefault(fault, [])) < EXAMPLES:
            named.append(image_id)


@dataclass(frozen=True, slots=True)
class CheckLibrary:
    """Say which rows have no bytes, which images no embedding, and which originals have changed.

    Nothing is changed unless ``repair``: then what is not embedded is written down for the workers;
    so is, as PROCESSING again, what lacks a rendition; and what has lost its original is FAILED,
    until the same picture is uploaded again.
    """

    catalog: Catalog
    storage: Storage
    sources: ExternalFiles
    gaps: RepairQueue

    async def __call__(
        self,
        *,
        repair: bool = False,
        force: bool = False,
        sample: int = SAMPLE,
        progress: Callable[[str, int], None] = lambda *_: None,
    ) -> Faults:
        """Look at everything; of ``sample`` images, chosen by chance, every byte.

        Raises Misconfigured, unless ``force``, where most originals are missing: more
        likely than that they are lost is that the storage belongs to another database.
        """
        faults = Faults()
        wrong, chosen = await self._look(faults, sample, progress)
        wrong |= await self._read(chosen, faults, progress)
        for image_id in await self.gaps.unembedded():
            wrong.setdefault(image_id, Fault.UNEMBEDDED)
        for image_id, fault in wrong.items():
            faults.add(fault, image_id)
        if repair:
            if 2 * faults.counts[Fault.NO_ORIGINAL] > faults.images and not force:
                raise Misconfigured(
                    f"{faults.counts[Fault.NO_ORIGINAL]:,} of {faults.images:,} originals are "
                    "missing."
                ).with_remedy(Remedy.CHECK_STORAGE)
            faults.mended = await self._mend(wrong)
        return faults

    async def _look(
        self, faults: Faults, sample: int, progress: Callable[[str, int], None]
    ) -> tuple[dict[UUID, Fault], list[Image]]:
        """Return what is missing of which images, and a sample of the others."""
        here = await self._forms(progress)
        wrong: dict[UUID, Fault] = {}
        chosen: list[Image] = []
        whole = 0
        async for image in self._images():
            faults.images += 1
            if faults.images % PORTION == 0:
                progress("images", faults.images)
            fault = _missing(image, here.pop(image.id, frozenset()))
            if fault and (fault := await self._confirmed(image)):
                wrong[image.id] = fault
                continue
            # Each has the same chance (reservoir sampling, Vitter, 1985).
            place = random.randrange(whole + 1)  # noqa: S311 - no secret
            whole += 1
            if len(chosen) < sample:
                chosen.append(image)
            elif place < sample:
                chosen[place] = image
        return wrong, chosen

    async def _confirmed(self, image: Image) -> Fault | None:
        """Look again, one by one: it may have come, or gone, while all were looked through."""
        here = set()
        for variant in Variant:
            with suppress(BytesMissing):
                await (await self.storage.open(variant.key_of(image.id))).chunks.aclose()
                here.add(variant)
        now = (await self.catalog.get([image.id])).get(image.id)
        return None if now is None else _missing(now, frozenset(here))

    async def _forms(self, progress: Callable[[str, int], None]) -> dict[UUID, frozenset[Variant]]:
        """Return in which forms each image is in storage."""
        here: dict[UUID, frozenset[Variant]] = {}
        count = 0
        async for stored in self.storage.list():
            image_id, variant = parse_key(stored.key)
            here[image_id] = here.get(image_id, frozenset()) | {variant}
            count += 1
            if count % PORTION == 0:
                progress("objects", count)
        return here

    async def _images(self) -> AsyncGenerator[Image]:
        """Yield what is to have bytes, the oldest first."""
        sort = Sort(descending=False)
        window = Window(PORTION)
        while (page := await self.catalog.list(EVERYTHING, sort, window)).images:
            for image in page.images:
                if image.status is not ImageStatus.FAILED:
                    yield image
            window = Window(PORTION, after=position_of(page.images[-1], sort))

    async def _read(
        self, images: Sequence[Image], faults: Faults, progress: Callable[[str, int], None]
    ) -> dict[UUID, Fault]:
        """Return those of the images whose original is not what it was."""
        found: dict[UUID, Fault] = {}
        waiting = iter(images)

        async def reader() -> None:
            for image in waiting:
                if fault := await self._fault_of(image):
                    found[image.id] = fault
                faults.originals_read += 1
                progress("originals", faults.originals_read)

        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(AT_ONCE):
                    readers.create_task(reader())
        except ExceptionGroup as outage:
            raise outage.exceptions[0] from None
        return found

    async def _fault_of(self, image: Image) -> Fault | None:
        """Read an original to the end, and tell what is wrong with it."""
        digest = hashlib.sha256()
        try:
            if image.source:
                blob = await self.sources.open(image.source)
            else:
                blob = await self.storage.open(Variant.ORIGINAL.key_of(image.id))
            async with aclosing(blob.chunks) as chunks:
                async for chunk in chunks:
                    digest.update(chunk)
        except (BytesMissing, InvalidContent):  # which also a file has that may not be read
            return Fault.NO_SOURCE if image.source else Fault.NO_ORIGINAL
        if digest.hexdigest() == image.sha256:
            return None
        return Fault.NO_SOURCE if image.source else Fault.DAMAGED

    async def _mend(self, wrong: dict[UUID, Fault]) -> int:
        by_fault: dict[Fault, list[UUID]] = {}
        for image_id, fault in wrong.items():
            by_fault.setdefault(fault, []).append(image_id)
        mended = await self.gaps.enqueue_unembedded()
        mended += await self.gaps.reprocess(by_fault.get(Fault.NO_RENDITION, []))
        for fault, reason in ((Fault.NO_ORIGINAL, LOST), (Fault.DAMAGED, DAMAGED)):
            mended += await self.gaps.fail(by_fault.get(fault, []), reason)
        return mended


def _missing(image: Image, here: frozenset[Variant]) -> Fault | None:
    """Return which form an image lacks. One that is PROCESSING has no renditions yet."""
    if image.source is None and Variant.ORIGINAL not in here:
        return Fault.NO_ORIGINAL
    if image.status is ImageStatus.READY and not {Variant.LARGE, Variant.THUMBNAIL} <= here:
        return Fault.NO_RENDITION
    return None
