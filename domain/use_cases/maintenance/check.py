"""Checks the library for missing or damaged data, and repairs it on request."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from domain.entities.faults import DEFAULT_SCRUB_LIFETIME, Fault
from domain.entities.images import ImageStatus, Variant
from domain.entities.storage import parse_key
from domain.errors import AccessRefused, BytesMissing, Misconfigured, Remedy
from domain.use_cases.library.walk import every_image
from domain.use_cases.maintenance.sweep import ORPHAN_GRACE_PERIOD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog, Clock, RepairQueue, Scrubs, Storage
    from domain.use_cases.maintenance.claim_storage import ClaimStorage
    from domain.use_cases.maintenance.scrub import CheckOriginal

CHECK_PAGE_SIZE = 500
"""How many images are read at a time, and how often progress is reported."""

MAX_EXAMPLES_PER_FAULT = 5
"""How many images of a fault are named; all are counted."""

MAX_REFUSED_TRIES = 20
"""How many originals of a bucket are tried while it refuses all of them."""

READ_CONCURRENCY = 8
"""How many originals are read at once."""

DEFAULT_SAMPLE_SIZE = 100
"""How many originals are read to the end by default."""

ORIGINAL_MISSING_REASON = "Its original is missing; upload it again."
ORIGINAL_DAMAGED_REASON = "Its original is damaged; upload it again."

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class CheckReport:
    """The faults that a check found: how many images have each, and some examples."""

    images: int = 0
    originals_read: int = 0
    counts: Counter[Fault] = field(default_factory=Counter)
    examples: dict[Fault, list[UUID]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    """Sentences on storages and buckets that refuse the server's keys. Their originals were not
    read, and are counted in no fault."""
    repaired: int = 0
    """How many images were repaired, or enqueued for a repair by the workers."""

    def add(self, fault: Fault, image_id: UUID) -> None:
        """Count an image."""
        self.counts[fault] += 1
        if len(examples := self.examples.setdefault(fault, [])) < MAX_EXAMPLES_PER_FAULT:
            examples.append(image_id)


@dataclass(slots=True)
class _Access:
    """Which storages and buckets refuse the server's keys: none of their originals can be read."""

    readable: set[str] = field(default_factory=set)
    refusals: dict[str, dict[UUID, AccessRefused]] = field(default_factory=dict)
    """By storage or bucket, and by image."""

    def is_refused(self, place: str) -> bool:
        """Whether enough originals were tried to leave the others out."""
        return place not in self.readable and len(self.refusals.get(place, ())) >= MAX_REFUSED_TRIES

    def sentences(self) -> tuple[str, ...]:
        """Return an explanation for each storage and bucket that refuses the keys."""
        return tuple(
            next(iter(refusals.values())).explanation
            for place, refusals in self.refusals.items()
            if place not in self.readable
        )

    def unreadable(self) -> dict[UUID, Exception]:
        """Return the single images that are refused, though others in their bucket are not."""
        return {
            image_id: refusal
            for place, refusals in self.refusals.items()
            if place in self.readable
            for image_id, refusal in refusals.items()
        }


@dataclass(frozen=True, slots=True)
class CheckLibrary:
    """Finds what breaks an invariant of the library.

    These are images without bytes or embedding, originals that have changed, two images with the
    same bytes, deleted images that can be found, tasks without an end, and bytes without an image.

    Changes nothing unless ``repair``. A repair enqueues tasks for images without an embedding,
    makes images without a rendition PROCESSING again, and makes images without their original
    FAILED, until the same picture is uploaded again.
    """

    catalog: Catalog
    storage: Storage
    claim_storage: ClaimStorage
    check_original: CheckOriginal
    scrubs: Scrubs
    repair_queue: RepairQueue
    clock: Clock
    scrub_lifetime: timedelta = DEFAULT_SCRUB_LIFETIME

    async def __call__(
        self,
        *,
        repair: bool = False,
        force: bool = False,
        sample: int = DEFAULT_SAMPLE_SIZE,
        scrub: bool = False,
        progress: Callable[[str, int], None] = lambda *_: None,
    ) -> CheckReport:
        """Check all images, and read the originals of a random sample of them.

        Originals that were faulty when they were last read are read, too. ``scrub`` also reads all
        that were not read for ``scrub_lifetime``, those in the trash included, except missing ones.
        It can be interrupted: the next run continues.

        ``progress`` is called with what is counted, and the count. Raises Misconfigured, unless
        ``force``, for a repair where most originals are missing: it is likely that the storage
        belongs to another database.
        """
        await self.claim_storage()
        report = CheckReport()
        access = _Access()
        faults, sampled = await self._check_bytes(report, sample, progress)
        chosen = {image.id: image for image in (*sampled, *await self.scrubs.faulty())}
        faults |= await self._check_originals(list(chosen.values()), report, access, progress)
        if scrub:
            before, after = self.clock() - self.scrub_lifetime, None
            while due := await self.scrubs.due(before, after=after, limit=CHECK_PAGE_SIZE):
                # What could not be read is still due: the next page begins behind it.
                after = due[-1]
                images = [original.image for original in due]
                faults |= await self._check_originals(images, report, access, progress)
        report.refused = access.sentences()
        faults |= _unreadable(access.unreadable())
        for image_id in await self.repair_queue.unembedded():
            faults.setdefault(image_id, Fault.UNEMBEDDED)
        for fault, image_ids in (await self.repair_queue.violations()).items():
            faults |= dict.fromkeys(image_ids, fault)
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
        """Return the faults of bytes, and a random sample of the images that have none."""
        stored, modified_at = await self._stored_variants(progress)
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
        orphans = await self._orphans(list(stored), modified_at)
        return faults | dict.fromkeys(orphans, Fault.ORPHANED), sampled

    async def _orphans(
        self, image_ids: Sequence[UUID], modified_at: Mapping[UUID, datetime]
    ) -> list[UUID]:
        """Return the ids without an image whose bytes the last daily sweep has left."""
        before = self.clock() - 2 * ORPHAN_GRACE_PERIOD
        since = (await self.claim_storage()).unknown_before
        orphans = []
        for start in range(0, len(image_ids), CHECK_PAGE_SIZE):
            page = image_ids[start : start + CHECK_PAGE_SIZE]
            existing = await self.catalog.existing_ids(page)
            orphans += [
                image_id
                for image_id in page
                if image_id not in existing
                and modified_at[image_id] < before
                and (since is None or modified_at[image_id] >= since)
            ]
        return orphans

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
    ) -> tuple[dict[UUID, frozenset[Variant]], dict[UUID, datetime]]:
        """Return the variants in storage, and when the last of them was written, by image."""
        variants: dict[UUID, frozenset[Variant]] = {}
        modified_at: dict[UUID, datetime] = {}
        count = 0
        async for stored in self.storage.list():
            image_id, variant = parse_key(stored.key)
            variants[image_id] = variants.get(image_id, frozenset()) | {variant}
            modified_at[image_id] = max(
                stored.modified_at, modified_at.get(image_id, stored.modified_at)
            )
            count += 1
            if count % CHECK_PAGE_SIZE == 0:
                progress("objects", count)
        return variants, modified_at

    async def _images(self) -> AsyncGenerator[Image]:
        """Yield the images that must have bytes, oldest first."""
        async for image in every_image(self.catalog):
            if image.status is not ImageStatus.FAILED:
                yield image

    async def _check_originals(
        self,
        images: Sequence[Image],
        report: CheckReport,
        access: _Access,
        progress: Callable[[str, int], None],
    ) -> dict[UUID, Fault]:
        """Return the images whose original is missing, unreadable or has changed.

        What is refused is noted in ``access``. Raises the error of an original where not even one
        was read yet: the storage may be away.
        """
        faults: dict[UUID, Fault] = {}
        errors: dict[UUID, Exception] = {}
        waiting = iter(images)

        async def check_next() -> None:
            for image in waiting:
                place = _place_of(image)
                if access.is_refused(place):
                    continue
                try:
                    fault = await self.check_original(image)
                except AccessRefused as refusal:
                    access.refusals.setdefault(place, {})[image.id] = refusal
                    continue
                except Exception as error:  # noqa: BLE001 - reported below
                    errors[image.id] = error
                    continue
                access.readable.add(place)
                if fault:
                    faults[image.id] = fault
                report.originals_read += 1
                progress("originals", report.originals_read)

        async with asyncio.TaskGroup() as readers:
            for _ in range(READ_CONCURRENCY):
                readers.create_task(check_next())
        if errors and not report.originals_read:
            raise next(iter(errors.values()))
        return faults | _unreadable(errors)

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


def _place_of(image: Image) -> str:
    """Return the bucket of an external original; the empty string for the storage."""
    return "/".join(image.source.location.split("/")[:3]) if image.source else ""


def _unreadable(errors: Mapping[UUID, Exception]) -> dict[UUID, Fault]:
    """Log one of the errors, and return the images as unreadable."""
    for image_id, error in islice(errors.items(), 1):
        logger.warning(
            "%s originals could not be read, among them that of image %s",
            len(errors),
            image_id,
            exc_info=error,
        )
    return dict.fromkeys(errors, Fault.UNREADABLE)


def _missing_variant(image: Image, stored: frozenset[Variant]) -> Fault | None:
    """Return what is missing. A PROCESSING image has no renditions yet."""
    missing = image.required_variants - stored
    if Variant.ORIGINAL in missing:
        return Fault.NO_ORIGINAL
    if image.status is ImageStatus.READY and missing:
        return Fault.NO_RENDITION
    return None
