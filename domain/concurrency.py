"""What concurrent callers share: one run for many, retries, queues, bounded admission, loops."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from domain.errors import Overloaded, Refusal
from domain.failure_log import FailureLog

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Coroutine,
        Iterable,
        Sequence,
    )
    from uuid import UUID

T = TypeVar("T")
Item = TypeVar("Item", bound=Hashable)

MAX_FILES_IN_MEMORY = 8
"""How many files are in memory at once: enough to fill a forward pass of the model."""

MAX_FILES_WAITING = 4_096
"""How many more files may wait on disk for admission: minutes of work."""

MAX_EXAMPLES_WAITING = 64
"""How many example pictures may wait for admission. A search that waits longer is given up."""

MAX_WAITING_PER_PRIORITY = 256
"""How many pictures of a class may wait for a decoder. They are in memory."""

RETRY_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Backoff of about half a minute in all. A database that restarts is back by then."""

RETRY_CONCURRENCY = 3
"""How many calls run at once. An event reaches every subscriber in the same moment, and other
requests need connections to the database, too."""

MAX_BUFFERED_IDS = 10_000
"""How many ids a subscriber may lag behind: about a megabyte."""

may_use_reserve: ContextVar[bool] = ContextVar("may_use_reserve", default=True)
"""Whether the current task may use the reserved part of a capacity. It is false in the requests of
callers without a key, and true in background work and commands."""


@dataclass(slots=True)
class Coalescer:
    """Coalesces concurrent calls: callers that arrive during a run share the next one.

    A caller never gets the result of a run that began before its call, and waits for two runs at
    most. The Go library calls this pattern singleflight.
    """

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _started: int = 0
    _finished: int = 0
    _result: int = 0

    async def run(self, work: Callable[[], Awaitable[int]]) -> int:
        """Return the result of a run that began after this call."""
        seen = self._started
        async with self._lock:
            if self._finished <= seen:
                self._started += 1
                self._result = await work()
                self._finished = self._started
            return self._result


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries a failed call with backoff, a few calls at a time.

    No port tells an outage from a bug. Both are retried; a bug fails every time and is raised in
    the end.
    """

    pauses: Sequence[float] = RETRY_PAUSES_SECONDS
    """Seconds to wait after each failure."""
    only: type[Exception] = Exception
    """Which failures are retried. Others are raised at once."""
    _permits: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(RETRY_CONCURRENCY)
    )

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``call``. Raises the last failure.

        Refusals are raised at once, except for Overloaded.
        """
        for pause in self.pauses:
            try:
                async with self._permits:
                    return await call()
            except self.only as error:
                if isinstance(error, Refusal) and not isinstance(error, Overloaded):
                    raise
                await asyncio.sleep(pause)
        async with self._permits:
            return await call()


class AdmissionLimit:
    """Admits a number of files at once and queues some more. Further ones are refused."""

    def __init__(
        self, limit: int = MAX_FILES_IN_MEMORY, *, max_waiting: int = MAX_FILES_WAITING
    ) -> None:
        self._permits = asyncio.Semaphore(limit)
        self._max_waiting = max_waiting
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Wait for admission. Raises Overloaded where the queue is full."""
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many pictures are waiting; send this one again in a minute.")
        self._waiting += 1
        try:
            await self._permits.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._permits.release()


class Capacity:
    """Bounds the concurrent uses of a resource. A part of it is reserved.

    Callers for whom ``may_use_reserve`` is false share what is not reserved. Waiting callers are
    served in order. A caller that waits too long is refused.
    """

    def __init__(
        self, size: int, *, reserved: int = 0, max_wait_seconds: float, refusal: str
    ) -> None:
        """Allow ``size`` uses at once. ``refusal`` is the sentence of Overloaded."""
        self._all = asyncio.Semaphore(size)
        self._unreserved = asyncio.Semaphore(size - reserved)
        self._max_wait_seconds = max_wait_seconds
        self._refusal = refusal

    async def acquire(self) -> bool:
        """Wait for a turn, and return the value for ``release``. Raises Overloaded."""
        is_reserved = may_use_reserve.get()
        try:
            async with asyncio.timeout(self._max_wait_seconds):
                if is_reserved:
                    await self._all.acquire()
                    return is_reserved
                await self._unreserved.acquire()
                try:
                    await self._all.acquire()
                except BaseException:
                    self._unreserved.release()
                    raise
                return is_reserved
        except TimeoutError:
            raise Overloaded(self._refusal) from None

    def release(self, *, is_reserved: bool) -> None:
        """End a use. ``is_reserved`` is what ``acquire`` returned."""
        self._all.release()
        if not is_reserved:
            self._unreserved.release()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Use the resource in a block. Raises Overloaded."""
        is_reserved = await self.acquire()
        try:
            yield
        finally:
            self.release(is_reserved=is_reserved)


class Priority(IntEnum):
    """The class of a call that waits. The value is how many later calls may overtake it at most."""

    UPLOAD = 0
    """A client waits for the result of a change."""
    EXAMPLE = 16
    """A client waits for a search by an example picture, or for LARGE. It may need no key."""
    BACKGROUND = 128
    """Indexing, imports and backfills."""


class AgeingQueue(Generic[Item]):
    """A bounded queue of each priority. Waiting raises the rank of an item: none starves.

    The rank of an item is the number of its arrival plus its priority, and the lowest rank is
    first. So a later item overtakes an earlier one only as far as their priorities differ. Inside a
    priority the order is that of arrival.
    """

    def __init__(self, max_waiting: int = MAX_WAITING_PER_PRIORITY) -> None:
        self._max_waiting = max_waiting
        self._arrivals = count()
        self._waiting: dict[Priority, dict[Item, int]] = {each: {} for each in Priority}

    def push(self, item: Item, priority: Priority) -> None:
        """Add an item. Raises Overloaded where too many of its priority are waiting."""
        waiting = self._waiting[priority]
        if len(waiting) >= self._max_waiting:
            raise Overloaded("Too many pictures are waiting; send this one again in a minute.")
        waiting[item] = next(self._arrivals)

    def pop(self, among: Collection[Priority] = tuple(Priority)) -> tuple[Item, Priority] | None:
        """Remove the first item among these priorities. Returns None if no item waits."""
        heads = [
            (arrival + priority, item, priority)
            for priority in among
            for item, arrival in list(self._waiting[priority].items())[:1]
        ]
        if not heads:
            return None
        _, item, priority = min(heads, key=lambda head: head[0])
        del self._waiting[priority][item]
        return item, priority

    def discard(self, item: Item, priority: Priority) -> None:
        """Remove an item that waits no longer."""
        self._waiting[priority].pop(item, None)


class SubscriberBuffer:
    """Buffers the ids of changed images for one subscriber, bounded in size.

    Iterating yields all ids since the last step, or None where ids were lost. A cancelled step
    loses nothing.
    """

    def __init__(self, max_ids: int = MAX_BUFFERED_IDS) -> None:
        self._max_ids = max_ids
        self._ids: dict[UUID, None] = {}
        self._has_gap = False
        self._is_closed = False
        self._ready = asyncio.Event()

    def add(self, ids: Iterable[UUID]) -> None:
        """Buffer ids for the next step. Past the limit they become a gap."""
        if self._has_gap:
            return
        self._ids.update(dict.fromkeys(ids))
        if len(self._ids) > self._max_ids:
            self.mark_gap()
        elif self._ids:
            self._ready.set()

    def mark_gap(self) -> None:
        """Note that ids may have been lost. Those that are buffered mean nothing any more."""
        self._ids.clear()
        self._has_gap = True
        self._ready.set()

    def clear(self) -> None:
        """Drop everything that is buffered."""
        self._ids.clear()
        self._has_gap = False
        self._ready.clear()

    def close(self) -> None:
        """End the iteration after what is buffered."""
        self._is_closed = True
        self._ready.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[UUID] | None:
        """Wait for ids and take them all."""
        await self._ready.wait()
        if self._is_closed and not self._has_gap and not self._ids:
            raise StopAsyncIteration
        ids = None if self._has_gap else tuple(self._ids)
        self._ids, self._has_gap = {}, False
        if not self._is_closed:
            self._ready.clear()
        return ids


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run work while the block runs, and wait for it at the end. An error of the block ends it."""
    task = asyncio.create_task(work)
    try:
        yield
    except BaseException:
        task.cancel()
        await asyncio.wait([task])
        raise
    await task


async def periodically(
    work: Callable[[], Awaitable[object]], *, every: float, failure: str, at_start: bool = False
) -> None:
    """Run ``work`` every ``every`` seconds until cancelled. A failed run is logged and retried.

    ``failure`` is what its log line begins with. ``at_start`` runs it at once.
    """
    failures = FailureLog(failure)
    if not at_start:
        await asyncio.sleep(every)
    while True:
        with failures.run():
            await work()
        await asyncio.sleep(every)
