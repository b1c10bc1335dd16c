"""Indexing what an import has found, beside all others who work on it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.use_cases.imports.summary import MOST_NAMED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from domain.entities.external_objects import KeyRange, RefusedObject
    from domain.ports import ExternalObjects
    from domain.use_cases.indexing import IndexImages

PAUSE_SECONDS = 0.5

IMPORT_LEASE_SECONDS = 30.0
"""An import that was killed is begun again at once, and waits as long for what that had leased."""

COUNTING_SHARE = 0.05
"""How much of the time counting may take: of millions of objects it is slow."""


@dataclass(frozen=True, slots=True)
class IndexFound:
    """Work until nothing that was found in a stretch waits any more, whoever has done it."""

    index: IndexImages
    objects: ExternalObjects

    async def __call__(
        self, key_range: Callable[[], KeyRange], *, listing: asyncio.Future[Any]
    ) -> AsyncGenerator[int]:
        """Yield now and then how many objects wait, and 0 at last, once ``listing`` has ended.

        Raises what the listing raises.
        """
        working = asyncio.create_task(self._work())
        handed_over = False
        try:
            while True:
                is_last = listing.done()
                if is_last:
                    listing.result()
                    if not handed_over:
                        await self.objects.reassign(key_range())
                        handed_over = True
                began = time.perf_counter()
                waiting = await self.objects.count_waiting(key_range())
                pause = max(PAUSE_SECONDS, (time.perf_counter() - began) / COUNTING_SHARE)
                yield waiting
                if is_last and not waiting:
                    return
                pending = {working} if is_last else {working, listing}
                done, _ = await asyncio.wait(
                    pending, timeout=pause, return_when=asyncio.FIRST_COMPLETED
                )
                if working in done:
                    working.result()
                    # What is left is others', or was put off for a while.
                    await asyncio.sleep(PAUSE_SECONDS)
                    working = asyncio.create_task(self._work())
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def refused(self, key_range: KeyRange) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects of a stretch are refused, and the first of them."""
        return await self.objects.refused(key_range, limit=MOST_NAMED)

    async def _work(self) -> None:
        async for _ in self.index():
            pass
