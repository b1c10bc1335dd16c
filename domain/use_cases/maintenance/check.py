"""Checks the library for missing or damaged data, and repairs it on request."""

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
    from domain.use_cases.maintenance.claim_storage import ClaimStorage

CHECK_PAGE_SIZE = 500
"""How many images are read at a time, and how often progress is reported."""

MAX_EXAMPLES_PER_FAULT = 5
"""How many images of a fault are named; all are counted."""

READ_CONCURRENCY = 8
"""How many originals are read at once."""

DEFAULT_SAMPLE_SIZE = 100
"""How many originals are read to the end by default."""

ORIGINAL_MISSING_REASON = "Its original is missing; upload it again."
ORIGINAL_DAMAGED_REASON = "Its original is damaged; upload it again."


class Fault(StrEnum):
    """What may be wrong with an image. The values are texts for people."""

    UNEMBEDDED = "no embedding, and no task to make one"
    NO_RENDITION = "LARGE or THUMBNAIL is missing"
    NO_ORIGINAL = "the original is missing"
    NO_SOURCE = "the source of the original is unreadable or has changed"
    DAMAGED = "the original is damaged: its checksum differs"


@dataclass(slots=True)
class CheckReport:
    """The faults that a check found: how many images have each, and some examples."""

    images: int = 0
    originals_read: int = 0
    counts: Counter[Fault] = field(default_factory=Counter)
    examples: dict[Fault, list[UUID]] = field(default_factory=dict)
    repaired: int = 0
    """How many images were repaired, or enqueued for a repair by the workers."""

    def add(self, fault: Fault, image_id: UUID) -> None:
        """Count an image."""
        self.counts[fault] += 1
        if len(examples := self.examples.setdefault(fault, [])) < MAX_EXAMPLES_PER_FAULT:
            examples.append(image_id)


@dataclass(frozen=True, slots=True)
class CheckLibrary:
    """Finds images without bytes or embedding, and originals that have changed.

    Changes nothing unless ``repair``. A repair enqueues tasks for images without an embedding,
    makes images without a rendition PROCESSING again, and makes images without their original
    FAILED, until the same picture is uploaded again.
    """

    catalog: Catalog
    storage: Storage
    claim_storage: ClaimStorage
    external_files: ExternalFiles
    repair_queue: RepairQueue

    async def __call__(
        self,
        *,
        repair: bool = False,
        force: bool = False,
        sample: int = DEFAULT_SAMPLE_SIZE,
        progress: Callable[[str, int], None] = lambda *_: None,
    ) -> CheckReport:
        """Check all images, and read the originals of a random sample of them.

        ``progress`` is called with what is counted, and the count. Raises Misconfigured, unless
        ``force``, for a repair where most originals are missing: it is likely that the storage
        belongs to another database.
        """
        await self.claim_storage()
        report = CheckReport()
        faults, sampled = await self._check_bytes(report, sample, progress)
        faults |= await self._check_originals(sampled, report, progress)
        for image_id in await self.repair_queue.unembedded():
            faults.setdefault(image_id, Fault.UNEMBEDDED)
        for image_id, fault in faults.items():
            report.add(fault, image_id)
        if repair:
            missing = report.counts[Fault.NO_ORIGINAL]
            if 2 * missing > report.images and not force:
                raise Misconfigured(
                    f"{missing:,} of {report.images:,} originals are missing."
                ).with_remedy(Remedy.CHECK_STORAGE)
            report.repaired = await self._repair(faults)
        return report

    async def _check_bytes(
        self, report: CheckReport, sample: int, progress: Callable[[str, int], None]
    ) -> tuple[dict[UUID, Fault], list[Image]]:
        """Return the images with missing bytes, and a random sample of the others."""
        stored = await self._stored_variants(progress)
        faults: dict[UUID, Fault] = {}
        sampled: list[Image] = []
        whole = 0
        async for image in self._images():
            report.images += 1
            if report.images % CHECK_PAGE_SIZE == 0:
                progress("images", report.images)
            fault = _missing_variant(image, stored.pop(image.id, frozenset()))
            if fault and (fault := await self._confirm(image)):
                faults[image.id] = fault
                continue
            # Reservoir sampling (Vitter, 1985): every image has the same chance.
            index = random.randrange(whole + 1)  # noqa: S311 - not for security
            whole += 1
            if len(sampled) < sample:
                sampled.append(image)
            elif index < sample:
                sampled[index] = image
        return faults, sampled

    async def _confirm(self, image: Image) -> Fault | None:
        """Check one image again: it may have been changed or deleted since storage was listed."""
        stored = set()
        for variant in Variant:
            with suppress(BytesMissing):
                await (await self.storage.open(variant.key_of(image.id))).chunks.aclose()
                stored.add(variant)
        current = (await self.catalog.get([image.id])).get(image.id)
        return None if current is None else _missing_variant(current, frozenset(stored))

    async def _stored_variants(
        self, progress: Callable[[str, int], None]
    ) -> dict[UUID, frozenset[Variant]]:
        """Return the variants in storage, by image."""
        variants: dict[UUID, frozenset[Variant]] = {}
        count = 0
        async for stored in self.storage.list():
            image_id, variant = parse_key(stored.key)
            variants[image_id] = variants.get(image_id, frozenset()) | {variant}
            count += 1
            if count % CHECK_PAGE_SIZE == 0:
                progress("objects", count)
        return variants

    async def _images(self) -> AsyncGenerator[Image]:
        """Yield the images that must have bytes, oldest first."""
        sort = Sort(descending=False)
        window = Window(CHECK_PAGE_SIZE)
        while (page := await self.catalog.list(EVERYTHING, sort, window)).images:
            for image in page.images:
                if image.status is not ImageStatus.FAILED:
                    yield image
            window = Window(CHECK_PAGE_SIZE, after=position_of(page.images[-1], sort))

    async def _check_originals(
        self,
        images: Sequence[Image],
        report: CheckReport,
        progress: Callable[[str, int], None],
    ) -> dict[UUID, Fault]:
        """Return the images whose original is missing or has changed."""
        faults: dict[UUID, Fault] = {}
        waiting = iter(images)

        async def check_next() -> None:
            for image in waiting:
                if fault := await self._check_original(image):
                    faults[image.id] = fault
                report.originals_read += 1
                progress("originals", report.originals_read)

        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(READ_CONCURRENCY):
                    readers.create_task(check_next())
        except ExceptionGroup as outage:
            raise outage.exceptions[0] from None
        return faults

    async def _check_original(self, image: Image) -> Fault | None:
        """Read an original to the end, and compare its digest."""
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

    async def _repair(self, faults: dict[UUID, Fault]) -> int:
        by_fault: dict[Fault, list[UUID]] = {}
        for image_id, fault in faults.items():
            by_fault.setdefault(fault, []).append(image_id)
        repaired = await self.repair_queue.enqueue_unembedded()
        repaired += await self.repair_queue.reprocess(by_fault.get(Fault.NO_RENDITION, []))
        for fault, reason in (
            (Fault.NO_ORIGINAL, ORIGINAL_MISSING_REASON),
            (Fault.DAMAGED, ORIGINAL_DAMAGED_REASON),
        ):
            repaired += await self.repair_queue.fail(by_fault.get(fault, []), reason)
        return repaired


def _missing_variant(image: Image, stored: frozenset[Variant]) -> Fault | None:
    """Return what is missing. A PROCESSING image has no renditions yet."""
    if image.source is None and Variant.ORIGINAL not in stored:
        return Fault.NO_ORIGINAL
    if image.status is ImageStatus.READY and not {Variant.LARGE, Variant.THUMBNAIL} <= stored:
        return Fault.NO_RENDITION
    return None
