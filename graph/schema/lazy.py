"""Results that several fields share: loaded in batches, or computed once on the first request.

A field that fails cancels its siblings. What one of them awaits may be awaited elsewhere in the
operation, so a shared result is never cancelled together with one of those that await it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from strawberry.dataloader import DataLoader

K = TypeVar("K")
T = TypeVar("T")


class Loader(DataLoader[K, T]):
    """Loads keys in batches. Cancelling a caller leaves the other callers of its key alone."""

    def load(self, key: K) -> Awaitable[T]:
        """Return the value of a key."""
        return asyncio.shield(super().load(key))


class Lazy(Generic[T]):
    """Awaits a function once: concurrent and later callers share the result, or the error.

    The work is cancelled when all of its callers are.
    """

    def __init__(self, compute: Callable[[], Awaitable[T]]) -> None:
        """Keep the function without calling it."""
        self._compute = compute
        self._task: asyncio.Future[T] | None = None
        self._waiting = 0

    async def __call__(self) -> T:
        """Return the result."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._compute())
        task = self._task
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1
            if not self._waiting and not task.done():
                task.cancel()
                self._task = None
