"""What somebody who listens has not asked for yet: bounded, however slow they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

MOST_HELD = 10_000
"""How many ids are held for a listener, a megabyte of them; more collapse into None."""


class Listener:
    """Yields all that was heard since it was last asked, or None where something was missed.

    Waiting can be given up and taken up again.
    """

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._heard: dict[UUID, None] = {}
        self._missed = False
        self._ended = False
        self._news = asyncio.Event()

    def hear(self, ids: Iterable[UUID]) -> None:
        """Keep ids until they are asked for."""
        if self._missed:
            return
        self._heard.update(dict.fromkeys(ids))
        if len(self._heard) > self._most:
            self.miss()
        elif self._heard:
            self._news.set()

    def miss(self) -> None:
        """Say that something may have been missed: what was heard counts no more beside it."""
        self._heard.clear()
        self._missed = True
        self._news.set()

    def forget(self) -> None:
        """Begin anew."""
        self._heard.clear()
        self._missed = False
        self._news.clear()

    def end(self) -> None:
        """Let nothing come after what was heard."""
        self._ended = True
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[UUID] | None:
        """Wait for news and take all."""
        await self._news.wait()
        if self._ended and not self._missed and not self._heard:
            raise StopAsyncIteration
        news = None if self._missed else tuple(self._heard)
        self._heard, self._missed = {}, False
        if not self._ended:
            self._news.clear()
        return news
