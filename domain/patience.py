"""Looking again after a failure: whoever watches for hours outlives a restart of the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from domain.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds: half a minute in all, in which a database is back that is only restarted."""


AT_ONCE = 3
"""How many look at once: news comes to all who watch in the same moment, and others want to use the
database, too."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Lets some look at a time, and does again what failed.

    No port tells an outage from a bug, and a bug fails every time.
    """

    pauses: Sequence[float] = PAUSES
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def __call__(self, look: Callable[[], Awaitable[T]]) -> T:
        """Return what ``look`` returns. Raises refusals at once, and what fails at last."""
        for pause in self.pauses:
            try:
                async with self._places:
                    return await look()
            except Refusal:
                raise
            except Exception:  # noqa: BLE001 - it is raised if it stays
                await asyncio.sleep(pause)
        async with self._places:
            return await look()
