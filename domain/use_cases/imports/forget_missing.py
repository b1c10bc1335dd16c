"""Ends an import: counts what became of its objects, and forgets what is missing for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant

if TYPE_CHECKING:
    from datetime import timedelta

    from domain.entities.external_objects import ImportCounts
    from domain.ports import MissingObjects, Storage
    from domain.use_cases.imports.summary import ImportSummary


@dataclass(frozen=True, slots=True)
class ForgetMissing:
    """Deletes images whose files are all missing for longer than the grace period.

    It runs after everything that an import found has been indexed: until then a missing file may be
    one that has moved. Before, missing images get the files that were moved and rewritten.
    """

    missing_objects: MissingObjects
    storage: Storage
    grace_period: timedelta

    async def __call__(self, summary: ImportSummary) -> int:
        """Forget images of a listed root, and return their number."""
        key_range = summary.key_range
        # Rows first, bytes second: a crash between the two leaves bytes that a sweep collects.
        reunited = await self.missing_objects.reunite(key_range, since=summary.started)
        await self.storage.delete(Variant.keys_of(reunited))
        forgotten = await self.missing_objects.forget(key_range, grace_period=self.grace_period)
        await self.storage.delete(Variant.keys_of(forgotten))
        return len(forgotten)

    async def count(self, summary: ImportSummary) -> ImportCounts:
        """Count what became of the objects of an import."""
        return await self.missing_objects.count(summary.key_range, since=summary.started)
