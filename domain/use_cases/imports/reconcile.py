"""Reconciles the known external objects with a listing of a folder or bucket."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.external_objects import ObjectChange
from domain.entities.tags import clean_tags
from domain.errors import Misconfigured, Remedy
from domain.use_cases.imports.summary import OBJECT_BATCH_SIZE, ImportSummary
from domain.use_cases.imports.writer import ImportWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from domain.entities.external_objects import KeyRange, KnownObject
    from domain.ports import ExternalObjects, ObjectListing, Storage

LISTING_CONCURRENCY = 8
"""How many ranges of a root are listed at once."""

UUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class ReconcileObjects:
    """Inserts new objects and new versions, and deletes vanished objects with their images.

    An object whose image was deleted by a user is not imported again. A refused object is tried
    again only if it has another version, or with ``retry``.

    The listing and the known objects are both sorted by location and joined by a merge join, so
    memory is bounded for any number of objects, and unchanged objects cost no write.
    """

    object_listing: ObjectListing
    external_objects: ExternalObjects
    storage: Storage

    async def __call__(  # noqa: PLR0913 - each is an option of the command
        self,
        root: str,
        *,
        tags: Iterable[str] = (),
        retry: bool = False,
        force: bool = False,
        dry_run: bool = False,
        progress: Callable[[ImportSummary], None] = lambda _: None,
    ) -> ImportSummary:
        """Return what was found. ``progress`` is called with interim summaries.

        ``dry_run`` changes nothing. Raises InvalidArgument for an invalid tag, and Misconfigured
        where the root cannot be listed. Also raises Misconfigured, unless ``force``, where the root
        is empty and had objects before: an unmounted disk is more likely than a deletion of
        everything.
        """
        summary = ImportSummary(prefix=root)
        scan = _Scan(self, root, summary)
        options = (clean_tags(tags), retry, dry_run, progress)
        key_ranges = iter(await self.object_listing.split(root))

        async def scan_ranges() -> None:
            writer = ImportWriter(self.external_objects, self.storage, summary, *options)
            for key_range in key_ranges:
                await scan(key_range, writer)
            await writer.flush()

        try:
            async with asyncio.TaskGroup() as scans:
                for _ in range(LISTING_CONCURRENCY):
                    scans.create_task(scan_ranges())
        except ExceptionGroup as outage:
            raise outage.exceptions[0] from None
        # Only after a complete listing: after an incomplete one, nothing counts as vanished.
        if scan.vanished and not summary.listed and not (force or dry_run):
            raise Misconfigured(
                f"No object is left at {root}, so all {summary.counts[ObjectChange.VANISHED]:,} "
                "known objects would be deleted."
            ).with_remedy(Remedy.CHECK_PLACE)
        writer = ImportWriter(self.external_objects, self.storage, summary, *options)
        for ids in scan.vanished_batches():
            await writer.delete(ids)
        progress(summary)
        return summary


@dataclass(slots=True)
class _Scan:
    """A scan of all ranges of a root, which collects the vanished objects."""

    use_case: ReconcileObjects
    root: str
    summary: ImportSummary
    vanished: bytearray = field(default_factory=bytearray)
    """The concatenated ids of vanished objects: compact, as there may be millions."""

    async def __call__(self, key_range: KeyRange, writer: ImportWriter) -> None:
        """Merge-join the listing of a range with the known objects of the range."""
        known = _KnownObjects(self.use_case.external_objects, key_range)
        last = ""
        async for listed in self.use_case.object_listing.list(self.root, key_range):
            location = listed.source.location
            if location <= last or location not in key_range:
                raise Misconfigured(
                    f"The objects at {self.root} are not listed in order: {location} follows "
                    f"{last or key_range.first}."
                ).with_remedy(Remedy.LIST_OBJECTS)
            last = location
            while (candidate := await known.peek()) and candidate.source.location < location:
                self._add_vanished(known.pop())
            is_known = candidate is not None and candidate.source.location == location
            await writer.add(listed, known.pop() if is_known else None)
        while await known.peek():
            self._add_vanished(known.pop())

    def vanished_batches(self) -> Iterator[list[UUID]]:
        """Yield the ids of the vanished objects in batches."""
        size = OBJECT_BATCH_SIZE * UUID_BYTES
        for start in range(0, len(self.vanished), size):
            batch = bytes(self.vanished[start : start + size])
            yield [
                UUID(bytes=batch[offset : offset + UUID_BYTES])
                for offset in range(0, len(batch), UUID_BYTES)
            ]

    def _add_vanished(self, known: KnownObject) -> None:
        self.summary.counts[ObjectChange.VANISHED] += 1
        self.vanished += known.id.bytes


@dataclass(slots=True)
class _KnownObjects:
    """A cursor over the known objects of a range, which reads them in batches by keyset."""

    external_objects: ExternalObjects
    key_range: KeyRange
    _buffer: deque[KnownObject] = field(default_factory=deque)
    _after: str = ""
    _is_exhausted: bool = False

    async def peek(self) -> KnownObject | None:
        """Return the next object without advancing; None at the end."""
        if not self._buffer and not self._is_exhausted:
            batch = await self.external_objects.list_known(
                self.key_range, after=self._after, limit=OBJECT_BATCH_SIZE
            )
            self._buffer.extend(batch)
            self._is_exhausted = len(batch) < OBJECT_BATCH_SIZE
            self._after = batch[-1].source.location if batch else self._after
        return self._buffer[0] if self._buffer else None

    def pop(self) -> KnownObject:
        """Return the object that ``peek`` returned, and advance."""
        return self._buffer.popleft()
