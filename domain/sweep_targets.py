"""Collecting what uploads that were never completed leave behind."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.upload_targets import LIFETIME

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Clock, Staging, Targets

LEFT_BEHIND = 2 * LIFETIME
"""How old a file is that belongs to no target any more: it was sent after its target was made, by
the clock of a store that may be a little slow."""

CHUNK = 500

TIDY_SECONDS = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweptTargets:
    """How much was removed."""

    targets: int
    files: int


@dataclass(frozen=True, slots=True)
class SweepTargets:
    """Remove targets that have expired, and files that were sent to none that is still there."""

    targets: Targets
    staging: Staging
    clock: Clock

    async def __call__(self) -> SweptTargets:
        """Remove, and count. No file of a target that may yet be completed is touched."""
        # By age alone, so that not even the targets of another database lose their files.
        now = self.clock()
        left = [
            staged.target_id
            async for staged in self.staging.list()
            if staged.modified_at < now - LEFT_BEHIND
        ]
        await self._delete(left)
        expired = await self.targets.forget(now)
        await self._delete(expired)
        return SweptTargets(len(expired), len(left))

    async def forget_expired(self) -> int:
        """Remove targets that have expired, with what was sent to them; nothing is listed."""
        expired = await self.targets.forget(self.clock())
        await self._delete(expired)
        return len(expired)

    async def _delete(self, target_ids: list[UUID]) -> None:
        for start in range(0, len(target_ids), CHUNK):
            await self.staging.delete(target_ids[start : start + CHUNK])


async def tidy_targets(sweep: SweepTargets, *, every: float = TIDY_SECONDS) -> None:
    """Forget expired targets again and again: where nobody sweeps, nobody else does."""
    while True:
        await asyncio.sleep(every)
        try:
            await sweep.forget_expired()
        except Exception:  # an outage now is no reason to stop for good
            logger.warning("expired targets could not be forgotten; trying again", exc_info=True)
