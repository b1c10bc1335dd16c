"""Ends an import: moves missing images into the trash, and forgets what is missing for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant

if TYPE_CHECKING:
    from datetime import timedelta

    from domain.entities.external_objects import ImportCounts
    from domain.ports import Clock, MissingObjects, Storage
    from domain.use_cases.imports.summary import ImportSummary


@dataclass(frozen=True, slots=True)
class MissingReport:
    """What an import did with images whose files are all missing."""

    trashed: int = 0
    """Images that were moved into the trash, and are still there."""
    forgotten: int = 0
    """Images that were deleted for good."""


@dataclass(frozen=True, slots=True)
class ForgetMissing:
    """Moves images whose files are all missing into the trash; forgets them after a grace period.

    So what the library shows can be fetched. Until it is forgotten, an image comes back with its
    file. All this happens after everything that an import found has been indexed: until then a
    missing file may be one that has moved. Before, missing images get the files that were moved and
    rewritten.
    """

    missing_objects: MissingObjects
    storage: Storage
    clock: Clock
    grace_period: timedelta

    async def __call__(self, summary: ImportSummary) -> MissingReport:
        """Move missing images of a listed root into the trash, and forget expired ones."""
        key_range = summary.key_range
        # Rows first, bytes second: a crash between the two leaves bytes that a sweep collects.
        reunited = await self.missing_objects.reunite(key_range, since=summary.started)
        await self.storage.delete(Variant.keys_of(reunited))
        trashed = await self.missing_objects.trash(key_range, self.clock())
        forgotten = await self.missing_objects.forget(key_range, grace_period=self.grace_period)
        await self.storage.delete(Variant.keys_of(forgotten))
        return MissingReport(len(set(trashed).difference(forgotten)), len(forgotten))

    async def count(self, summary: ImportSummary) -> ImportCounts:
        """Count what became of the objects of an import."""
        return await self.missing_objects.count(summary.key_range, since=summary.started)
