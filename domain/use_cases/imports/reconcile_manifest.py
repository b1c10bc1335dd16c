"""Taking in what a list names: of stores so large that listing them takes too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.external_objects import ListedObject
from domain.entities.images import Source
from domain.entities.tags import clean_tags
from domain.errors import BytesMissing
from domain.use_cases.imports.summary import CHUNK, ImportSummary
from domain.use_cases.imports.writer import ImportWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from domain.ports import ExternalObjects, ObjectListing, Storage

LOOKS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What a manifest says of an object. What it does not say is looked up."""

    location: str
    version: str | None = None
    byte_size: int | None = None


@dataclass(frozen=True, slots=True)
class ReconcileManifest:
    """Write down what is to be indexed of the objects that a manifest names.

    As ``ReconcileObjects`` does, but that nothing has vanished because it is not named.
    """

    places: ObjectListing
    objects: ExternalObjects
    storage: Storage

    async def __call__(
        self,
        entries: AsyncIterator[ManifestEntry],
        *,
        tags: Iterable[str] = (),
        retry: bool = False,
        dry_run: bool = False,
        progress: Callable[[ImportSummary], None] = lambda _: None,
    ) -> ImportSummary:
        """Return what was found, and tell it to ``progress`` now and then.

        With ``dry_run`` nothing is changed. Raises InvalidArgument for a bad tag.
        """
        stock = ImportSummary()
        ledger = ImportWriter(
            self.objects, self.storage, stock, clean_tags(tags), retry, dry_run, progress
        )
        chunk: dict[str, ManifestEntry] = {}
        async for entry in entries:
            stock.widen(entry.location)
            chunk[entry.location] = entry
            if len(chunk) == CHUNK:
                await self._enter(list(chunk.values()), ledger)
                chunk.clear()
        await self._enter(list(chunk.values()), ledger)
        return stock

    async def _enter(self, entries: Sequence[ManifestEntry], ledger: ImportWriter) -> None:
        known = await self.objects.find([entry.location for entry in entries])
        turns = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(entry: ManifestEntry) -> ListedObject | None:
            if entry.version is not None and entry.byte_size is not None:
                return ListedObject(Source(entry.location, entry.version), entry.byte_size)
            async with turns:
                try:
                    return await self.places.look(entry.location)
                except BytesMissing:
                    return None

        for entry, listed in zip(entries, await asyncio.gather(*map(look, entries)), strict=True):
            if listed is None:
                ledger.stock.miss(entry.location)
            else:
                await ledger.enter(listed, known.get(entry.location))
        await ledger.add()
