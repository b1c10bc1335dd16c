"""Collects garbage of direct uploads: expired targets and their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.upload_targets import TARGET_LIFETIME

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Clock, Staging, UploadTargets

STAGED_FILE_LIFETIME = 2 * TARGET_LIFETIME
"""A file of this age belongs to no valid target: it was sent after its target was created. The
second lifetime is a margin for a store whose clock is slow."""

STAGED_BATCH_SIZE = 500
"""How many files are deleted at a time."""


@dataclass(frozen=True, slots=True)
class TargetSweepReport:
    """The numbers of deleted targets and files."""

    targets: int
    files: int


@dataclass(frozen=True, slots=True)
class SweepTargets:
    """Deletes expired targets, and files that belong to no target any more."""

    targets: UploadTargets
    staging: Staging
    clock: Clock

    async def __call__(self) -> TargetSweepReport:
        """Delete targets and files. Keeps the files of targets that can still be completed."""
        # By age alone, so that valid targets of another database keep their files, too.
        now = self.clock()
        old = [
            staged.target_id
            async for staged in self.staging.list()
            if staged.modified_at < now - STAGED_FILE_LIFETIME
        ]
        await self._delete(old)
        expired = await self.targets.delete_expired(now)
        await self._delete(expired)
        return TargetSweepReport(len(expired), len(old))

    async def delete_expired(self) -> int:
        """Delete expired targets with their files, without listing the staging area."""
        expired = await self.targets.delete_expired(self.clock())
        await self._delete(expired)
        return len(expired)

    async def _delete(self, target_ids: list[UUID]) -> None:
        for start in range(0, len(target_ids), STAGED_BATCH_SIZE):
            await self.staging.delete(target_ids[start : start + STAGED_BATCH_SIZE])
