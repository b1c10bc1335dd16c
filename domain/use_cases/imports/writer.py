"""Writes the objects that an import found to the database, in batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.external_objects import ObjectChange, ObjectState, compare
from domain.entities.images import uuid7
from domain.entities.passed_over import passed_over_as
from domain.entities.work import FoundObject
from domain.use_cases.imports.summary import OBJECT_BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from domain.entities.external_objects import KnownObject, ListedObject
    from domain.entities.passed_over import PassedOver
    from domain.ports import ExternalObjects
    from domain.use_cases.imports.summary import ImportSummary


@dataclass(slots=True)
class ImportWriter:
    """Compares listed objects with known ones, and inserts new objects and new versions.

    Each batch is one transaction: an import that fails later keeps the batches before it.
    """

    external_objects: ExternalObjects
    summary: ImportSummary
    tags: tuple[str, ...]
    retry: bool
    dry_run: bool
    progress: Callable[[ImportSummary], None]
    root: str = ""
    """The folder or prefix that is imported, if one is."""
    _found: list[FoundObject] = field(default_factory=list)
    _replaced: list[UUID] = field(default_factory=list)
    _returned: list[UUID] = field(default_factory=list)

    async def add(self, listed: ListedObject, known: KnownObject | None) -> None:
        """Count a listed object, and buffer it if it is new or has changed.

        Files that are no pictures by their names are passed over, except known images.
        """
        kind = passed_over_as(listed.location, root=self.root)
        if kind is not None and (known is None or known.state is ObjectState.REFUSED):
            await self._pass_over(kind, known)
            return
        change = compare(listed, known, retry=self.retry)
        self.summary.add(listed, change)
        if change is ObjectChange.UNFINISHED and known is not None:
            self.summary.unfinished.append(known.id)
        if change is ObjectChange.RETURNED and known is not None:
            self._returned.append(known.id)
        elif change in {ObjectChange.NEW, ObjectChange.CHANGED}:
            # A new id for a new version: it is another image unless it has known bytes or pixels.
            found = FoundObject(uuid7(), listed.source, listed.byte_size, self.tags)
            self._found.append(found)
            if known is not None:
                self._replaced.append(known.id)
        if OBJECT_BATCH_SIZE in {len(self._found), len(self._returned)}:
            await self.flush()
        if self.summary.listed % OBJECT_BATCH_SIZE == 0:
            self.progress(self.summary)

    async def _pass_over(self, kind: PassedOver, known: KnownObject | None) -> None:
        """Count a file that is no picture. It is missing if an earlier version refused it."""
        self.summary.passed_over[kind] += 1
        if known is not None and not known.is_missing:
            await self.mark_missing([known.id], is_certain=True)

    async def flush(self) -> None:
        """Insert the buffered objects with their tasks."""
        found, self._found = self._found, []
        replaced, self._replaced = self._replaced, []
        returned, self._returned = self._returned, []
        if found and not self.dry_run:
            await self.external_objects.add(found, replacing=replaced)
        if returned and not self.dry_run:
            await self.external_objects.mark_present(returned)
        self.progress(self.summary)

    async def mark_missing(self, ids: Sequence[UUID], *, is_certain: bool) -> None:
        """Mark objects as missing."""
        if not self.dry_run:
            await self.external_objects.mark_missing(ids, is_certain=is_certain)
