"""Reconciles the known external objects with a manifest, for stores too large to list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.external_objects import ListedObject
from domain.entities.images import Source
from domain.entities.tags import clean_tags
from domain.errors import BytesMissing
from domain.use_cases.imports.summary import OBJECT_BATCH_SIZE, ImportSummary
from domain.use_cases.imports.writer import ImportWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from domain.ports import ExternalObjects, ObjectListing

STAT_CONCURRENCY = 32
"""How many objects are looked up at once."""


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """An object that a manifest names. A missing version or size is looked up in the store."""

    location: str
    version: str | None = None
    byte_size: int | None = None


@dataclass(frozen=True, slots=True)
class ReconcileManifest:
    """Inserts the new and changed objects of a manifest.

    As ``ReconcileObjects``, except that objects which the manifest does not name are kept.
    """

    object_listing: ObjectListing
    external_objects: ExternalObjects

    async def __call__(
        self,
        entries: AsyncIterator[ManifestEntry],
        *,
        tags: Iterable[str] = (),
        retry: bool = False,
        dry_run: bool = False,
        progress: Callable[[ImportSummary], None] = lambda _: None,
    ) -> ImportSummary:
        """Return what was found. ``progress`` is called with interim summaries.

        ``dry_run`` changes nothing. Raises InvalidArgument for an invalid tag.
        """
        summary = ImportSummary()
        writer = ImportWriter(
            self.external_objects,
            summary,
            clean_tags(tags),
            retry,
            dry_run,
            progress,
        )
        batch: dict[str, ManifestEntry] = {}
        async for entry in entries:
            summary.include(entry.location)
            batch[entry.location] = entry
            if len(batch) == OBJECT_BATCH_SIZE:
                await self._add(list(batch.values()), writer)
                batch.clear()
        await self._add(list(batch.values()), writer)
        return summary

    async def _add(self, entries: Sequence[ManifestEntry], writer: ImportWriter) -> None:
        known = await self.external_objects.find([entry.location for entry in entries])
        permits = asyncio.Semaphore(STAT_CONCURRENCY)

        async def listed_object(entry: ManifestEntry) -> ListedObject | None:
            if entry.version is not None and entry.byte_size is not None:
                return ListedObject(Source(entry.location, entry.version), entry.byte_size)
            async with permits:
                try:
                    return await self.object_listing.stat(entry.location)
                except BytesMissing:
                    return None

        objects = await asyncio.gather(*map(listed_object, entries))
        for entry, listed in zip(entries, objects, strict=True):
            if listed is None:
                writer.summary.add_missing(entry.location)
            else:
                await writer.add(listed, known.get(entry.location))
        await writer.flush()
