"""A result that is computed once, on the first request for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """Awaits a function once: concurrent and later callers share the result, or the error."""

    def __init__(self, compute: Callable[[], Awaitable[T]]) -> None:
        """Keep the function without calling it."""
        self._compute = compute
        self._task: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """Return the result."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._compute())
        return await self._task
