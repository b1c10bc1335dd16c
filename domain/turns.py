"""Work that many ask for at once, and that one does at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(slots=True)
class Turns:
    """Those who ask while somebody has a turn share the next one.

    Nobody gets the result of a turn that began before asking, and nobody waits for more than two.
    """

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: int = 0
    _done: int = 0
    _result: int = 0

    async def take(self, work: Callable[[], Awaitable[int]]) -> int:
        """Return the result of the work, of one's own or of a turn that began meanwhile."""
        asked = self._begun
        async with self._lock:
            if self._done <= asked:
                self._begun += 1
                self._result = await work()
                self._done = self._begun
            return self._result
