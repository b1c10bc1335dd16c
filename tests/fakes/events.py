"""Events in memory: one process, and a connection that is lost when a test says so."""

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
    """Tells whoever listens what it is told."""

    def __init__(self, *, most: int = 1_000) -> None:
        self.listeners: set[SubscriberBuffer] = set()
        self._most = most

    def images(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[UUID] | None]]:
        return self._images()

    @asynccontextmanager
    async def _images(self) -> AsyncIterator[SubscriberBuffer]:
        if len(self.listeners) >= self._most:
            raise Overloaded("Too many listen.")
        listener = SubscriberBuffer()
        self.listeners.add(listener)
        try:
            yield listener
        finally:
            self.listeners.remove(listener)

    def tell(self, *ids: UUID) -> None:
        """Let something have happened to images."""
        for listener in self.listeners:
            listener.add(ids)

    def lose(self) -> None:
        """Let news be lost."""
        for listener in self.listeners:
            listener.mark_gap()
