"""Indexes the objects that an import found, together with all other workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.use_cases.imports.summary import MAX_NAMED_REFUSALS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from domain.entities.external_objects import KeyRange, RefusedObject
    from domain.ports import ExternalObjects
    from domain.use_cases.imports.summary import ImportSummary
    from domain.use_cases.indexing import IndexImages

IMPORT_POLL_SECONDS = 0.5
"""The shortest pause between two counts of the waiting objects."""

MAX_COUNTING_SHARE = 0.05
"""The largest share of the time for counting waiting objects, which is slow for millions."""


@dataclass(frozen=True, slots=True)
class IndexFound:
    """Indexes until no object of a range is waiting, no matter which worker indexed it."""

    index: IndexImages
    external_objects: ExternalObjects

    async def __call__(
        self, key_range: Callable[[], KeyRange], *, listing: asyncio.Future[Any]
    ) -> AsyncGenerator[int]:
        """Yield the number of waiting objects repeatedly, and 0 after ``listing`` has ended.

        ``key_range`` returns the range that is listed so far. Raises what the listing raises.
        """
        working = asyncio.create_task(self._work())
        is_reassigned = False
        try:
            while True:
                is_listed = listing.done()
                if is_listed:
                    listing.result()
                    if not is_reassigned:
                        await self.external_objects.reassign(key_range())
                        is_reassigned = True
                started_at = time.perf_counter()
                waiting = await self.external_objects.count_waiting(key_range())
                counting_seconds = time.perf_counter() - started_at
                pause = max(IMPORT_POLL_SECONDS, counting_seconds / MAX_COUNTING_SHARE)
                yield waiting
                if is_listed and not waiting:
                    return
                pending = {working} if is_listed else {working, listing}
                done, _ = await asyncio.wait(
                    pending, timeout=pause, return_when=asyncio.FIRST_COMPLETED
                )
                if working in done:
                    working.result()
                    # The remaining tasks are leased by others, or wait for a retry.
                    await asyncio.sleep(IMPORT_POLL_SECONDS)
                    working = asyncio.create_task(self._work())
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def refused(self, summary: ImportSummary) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects an import has refused, and the first of them.

        Those that were refused before, and that have not changed, are not among them.
        """
        return await self.external_objects.refused(
            summary.key_range,
            since=summary.started,
            unfinished=summary.unfinished,
            limit=MAX_NAMED_REFUSALS,
        )

    async def _work(self) -> None:
        async for _ in self.index():
            pass
