"""Writes the objects that an import found to the database, in batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.external_objects import ObjectChange, compare
from domain.entities.images import Variant, uuid7
from domain.entities.work import FoundObject
from domain.use_cases.imports.summary import OBJECT_BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from domain.entities.external_objects import KnownObject, ListedObject
    from domain.ports import ExternalObjects, Storage
    from domain.use_cases.imports.summary import ImportSummary


@dataclass(slots=True)
class ImportWriter:
    """Compares listed objects with known ones, and inserts new objects and new versions.

    Each batch is one transaction: an import that fails later keeps the batches before it.
    """

    external_objects: ExternalObjects
    storage: Storage
    summary: ImportSummary
    tags: tuple[str, ...]
    retry: bool
    dry_run: bool
    progress: Callable[[ImportSummary], None]
    _found: list[FoundObject] = field(default_factory=list)
    _replaced: list[UUID] = field(default_factory=list)

    async def add(self, listed: ListedObject, known: KnownObject | None) -> None:
        """Count a listed object, and buffer it if it is new or has changed."""
        change = compare(listed, known, retry=self.retry)
        self.summary.add(listed, change)
        if change in {ObjectChange.NEW, ObjectChange.CHANGED}:
            # A new id for a new version: the bytes that are served under an id never change.
            found = FoundObject(uuid7(), listed.source, listed.byte_size, self.tags)
            self._found.append(found)
            if known is not None:
                self._replaced.append(known.id)
            if len(self._found) == OBJECT_BATCH_SIZE:
                await self.flush()
        if self.summary.listed % OBJECT_BATCH_SIZE == 0:
            self.progress(self.summary)

    async def flush(self) -> None:
        """Insert the buffered objects with their tasks."""
        found, self._found = self._found, []
        replaced, self._replaced = self._replaced, []
        if found and not self.dry_run:
            await self._delete_bytes(await self.external_objects.add(found, replacing=replaced))
        self.progress(self.summary)

    async def delete(self, ids: Sequence[UUID]) -> None:
        """Delete vanished objects and their images."""
        if not self.dry_run:
            await self._delete_bytes(await self.external_objects.delete(ids))

    async def _delete_bytes(self, image_ids: Sequence[UUID]) -> None:
        # Rows first, bytes second: a crash between the two leaves bytes that a sweep collects.
        await self.storage.delete(Variant.keys_of(image_ids))
