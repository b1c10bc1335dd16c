"""A worker: it does what is written down, and then waits for more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from domain.index import IndexImages

PAUSE_SECONDS = 1.0

logger = logging.getLogger(__name__)


async def a_moment() -> None:
    """Wait until there may be more to do."""
    await asyncio.sleep(PAUSE_SECONDS)


async def keep_indexing(
    index: IndexImages,
    *,
    ended: Callable[[int], None] = lambda _: None,
    wait: Callable[[], Awaitable[None]] = a_moment,
) -> None:
    """Work until cancelled, and say each time how many tasks came to an end."""
    while True:
        try:
            async for count in index():
                ended(count)
        except Exception:  # an outage now is no reason to stop for good
            logger.warning("work could not be done; trying again", exc_info=True)
        await wait()
