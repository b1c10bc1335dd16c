"""Reconciles the known external objects with a listing of a folder or bucket."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import UUID

from domain.entities.exclusions import Exclusions
from domain.entities.external_objects import (
    KeyRange,
    ObjectChange,
    SkippedLink,
    UnlistedFolder,
)
from domain.entities.tags import clean_tags
from domain.errors import BytesMissing, Misconfigured, Remedy
from domain.use_cases.imports.summary import OBJECT_BATCH_SIZE, ImportSummary
from domain.use_cases.imports.writer import ImportWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from domain.entities.external_objects import KnownObject
    from domain.ports import ExternalObjects, ObjectListing

LISTING_CONCURRENCY = 8
"""How many ranges of a root are listed at once."""

UUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class ReconcileObjects:
    """Inserts new objects and new versions, and marks vanished objects as missing.

    Whether new objects and new versions have new bytes is found out when they are read. A refused
    object is tried again only if it has another version, or with ``retry``.

    The listing and the known objects are both sorted by location and joined by a merge join, so
    memory is bounded for any number of objects, and unchanged objects cost no write.
    """

    object_listing: ObjectListing
    external_objects: ExternalObjects

    async def __call__(  # noqa: PLR0913 - each is an option of the command
        self,
        root: str,
        *,
        tags: Iterable[str] = (),
        retry: bool = False,
        force: bool = False,
        dry_run: bool = False,
        exclude: Iterable[str] = (),
        progress: Callable[[ImportSummary], None] = lambda _: None,
    ) -> ImportSummary:
        """Return what was found. ``progress`` is called with interim summaries.

        What the patterns of ``exclude`` leave out counts as vanished if it was known. ``dry_run``
        changes nothing. Raises InvalidArgument for an invalid tag, and Misconfigured where the root
        cannot be listed. Also raises Misconfigured, unless ``force``, where the root is empty and
        had objects before: an unmounted disk is more likely than a deletion of everything.
        Likewise, objects below an empty folder count as vanished only with ``force``.
        """
        summary = ImportSummary(prefix=root)
        exclusions = Exclusions(tuple(exclude))
        scan = _Scan(self, root, summary, force, exclusions)
        options = (clean_tags(tags), retry, dry_run, progress, root)
        key_ranges = iter(await self.object_listing.split(root))

        async def scan_ranges() -> None:
            writer = ImportWriter(self.external_objects, summary, *options)
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
                "known objects would count as missing."
            ).with_remedy(Remedy.CHECK_PLACE)
        writer = ImportWriter(self.external_objects, summary, *options)
        for ids in _batches(scan.vanished):
            await writer.mark_missing(ids, is_certain=True)
        for ids in _batches(scan.unlisted):
            await writer.mark_missing(ids, is_certain=False)
        progress(summary)
        return summary

    async def is_object(self, location: str) -> bool:
        """Return whether a location is that of one object, and not the place of several."""
        try:
            await self.object_listing.stat(location)
        except BytesMissing:
            return False
        return True


@dataclass(slots=True)
class _Scan:
    """A scan of all ranges of a root, which collects the objects that it does not find."""

    use_case: ReconcileObjects
    root: str
    summary: ImportSummary
    force: bool
    exclusions: Exclusions
    vanished: bytearray = field(default_factory=bytearray)
    """The concatenated ids of vanished objects: compact, as there may be millions."""
    unlisted: bytearray = field(default_factory=bytearray)
    """The concatenated ids of objects in folders that could not be listed."""

    async def __call__(self, key_range: KeyRange, writer: ImportWriter) -> None:
        """Merge-join the listing of a range with the known objects of the range."""
        known = _KnownObjects(self.use_case.external_objects, key_range)
        last = ""
        async for listed in self.use_case.object_listing.list(self.root, key_range):
            location = listed.location
            if location <= last or location not in key_range:
                raise Misconfigured(
                    f"The objects at {self.root} are not listed in order: {location} follows "
                    f"{last or key_range.first}."
                ).with_remedy(Remedy.LIST_OBJECTS)
            last = location
            if self.exclusions.excludes(self._path_of(location)):
                continue
            while (candidate := await known.peek()) and candidate.source.location < location:
                self._add_vanished(known.pop())
            if isinstance(listed, SkippedLink):
                self.summary.add_link(listed)
                continue
            if isinstance(listed, UnlistedFolder):
                if listed.error or not self.force:
                    await self._add_unlisted(listed, known)
                continue
            is_known = candidate is not None and candidate.source.location == location
            await writer.add(listed, known.pop() if is_known else None)
        while await known.peek():
            self._add_vanished(known.pop())

    async def _add_unlisted(self, folder: UnlistedFolder, known: _KnownObjects) -> None:
        below = KeyRange.below(folder.location)
        before = len(self.unlisted)
        while (candidate := await known.peek()) and candidate.source.location in below:
            self.unlisted += known.pop().id.bytes
        self.summary.add_unlisted(folder, known=(len(self.unlisted) - before) // UUID_BYTES)

    def _path_of(self, location: str) -> str:
        """Return the path below the root, as people write it."""
        path = location.removeprefix(self.root)
        return unquote(path) if location.startswith("file:") else path

    def _add_vanished(self, known: KnownObject) -> None:
        self.summary.counts[ObjectChange.VANISHED] += 1
        self.vanished += known.id.bytes


def _batches(ids: bytearray) -> Iterator[list[UUID]]:
    """Yield concatenated ids in batches."""
    size = OBJECT_BATCH_SIZE * UUID_BYTES
    for start in range(0, len(ids), size):
        batch = bytes(ids[start : start + size])
        yield [
            UUID(bytes=batch[offset : offset + UUID_BYTES])
            for offset in range(0, len(batch), UUID_BYTES)
        ]


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
