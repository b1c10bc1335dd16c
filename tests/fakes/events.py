"""Events in memory: one process, and losses on request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from domain.concurrency import SubscriberBuffer
from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID


class MemoryEvents:
    """Emits ids to all subscribers."""

    def __init__(self, *, most: int = 1_000) -> None:
        self.listeners: set[SubscriberBuffer] = set()
        self._most = most

    def images(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[UUID] | None]]:
        return self._images()

    @asynccontextmanager
    async def _images(self) -> AsyncIterator[SubscriberBuffer]:
        if len(self.listeners) >= self._most:
            raise Overloaded("Too many subscribers.")
        subscriber = SubscriberBuffer()
        self.listeners.add(subscriber)
        try:
            yield subscriber
        finally:
            self.listeners.remove(subscriber)

    def emit(self, *ids: UUID) -> None:
        """Emit the ids of changed images."""
        for subscriber in self.listeners:
            subscriber.add(ids)

    def lose_events(self) -> None:
        """Let every subscriber lose events."""
        for subscriber in self.listeners:
            subscriber.mark_gap()
