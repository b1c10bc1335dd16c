"""Writes what an import finds to the database, in chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.external_objects import ObjectChange, compare
from domain.entities.images import Variant, uuid7
from domain.entities.work import FoundObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from domain.entities.external_objects import KnownObject, ListedObject
    from domain.ports import ExternalObjects, Storage

from domain.use_cases.imports.summary import CHUNK, ImportSummary


@dataclass(slots=True)
class ImportWriter:
    """Compares what is listed with what is known, and writes down what is to be indexed.

    In chunks: whatever has been written down is kept if the rest of the import is not.
    """

    objects: ExternalObjects
    storage: Storage
    stock: ImportSummary
    tags: tuple[str, ...]
    retry: bool
    dry_run: bool
    progress: Callable[[ImportSummary], None]
    _found: list[FoundObject] = field(default_factory=list)
    _in_place_of: list[UUID] = field(default_factory=list)

    async def enter(self, listed: ListedObject, known: KnownObject | None) -> None:
        """Compare an object with what is known of it."""
        finding = compare(listed, known, retry=self.retry)
        self.stock.note(listed, finding)
        if finding in {ObjectChange.NEW, ObjectChange.CHANGED}:
            # Another id for another version: what is served under an id never changes.
            found = FoundObject(uuid7(), listed.source, listed.byte_size, self.tags)
            self._found.append(found)
            if known is not None:
                self._in_place_of.append(known.id)
            if len(self._found) == CHUNK:
                await self.add()
        if self.stock.listed % CHUNK == 0:
            self.progress(self.stock)

    async def add(self) -> None:
        """Keep what was entered."""
        found, self._found = self._found, []
        in_place_of, self._in_place_of = self._in_place_of, []
        if found and not self.dry_run:
            await self._remove(await self.objects.add(found, replacing=in_place_of))
        self.progress(self.stock)

    async def forget(self, ids: Sequence[UUID]) -> None:
        """Forget objects that have vanished, and their images."""
        if not self.dry_run:
            await self._remove(await self.objects.delete(ids))

    async def _remove(self, image_ids: Sequence[UUID]) -> None:
        # Rows first, bytes second, as where a user deletes images.
        await self.storage.delete(
            [variant.key_of(image_id) for image_id in image_ids for variant in Variant]
        )
