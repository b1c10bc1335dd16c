"""Collecting what uploads that were never completed leave behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.upload_targets import TARGET_LIFETIME

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Clock, Staging, UploadTargets

LEFT_BEHIND = 2 * TARGET_LIFETIME
"""How old a file is that belongs to no target any more: it was sent after its target was made, by
the clock of a store that may be a little slow."""

CHUNK = 500

TIDY_SECONDS = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TargetSweepReport:
    """How much was removed."""

    targets: int
    files: int


@dataclass(frozen=True, slots=True)
class SweepTargets:
    """Remove targets that have expired, and files that were sent to none that is still there."""

    targets: UploadTargets
    staging: Staging
    clock: Clock

    async def __call__(self) -> TargetSweepReport:
        """Remove, and count. No file of a target that may yet be completed is touched."""
        # By age alone, so that not even the targets of another database lose their files.
        now = self.clock()
        left = [
            staged.target_id
            async for staged in self.staging.list()
            if staged.modified_at < now - LEFT_BEHIND
        ]
        await self._delete(left)
        expired = await self.targets.delete_expired(now)
        await self._delete(expired)
        return TargetSweepReport(len(expired), len(left))

    async def delete_expired(self) -> int:
        """Remove targets that have expired, with what was sent to them; nothing is listed."""
        expired = await self.targets.delete_expired(self.clock())
        await self._delete(expired)
        return len(expired)

    async def _delete(self, target_ids: list[UUID]) -> None:
        for start in range(0, len(target_ids), CHUNK):
            await self.staging.delete(target_ids[start : start + CHUNK])
