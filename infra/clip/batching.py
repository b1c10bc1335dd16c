"""Micro-batching on one worker thread: concurrent calls share a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from concurrent.futures import Executor

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")

STARVATION_LIMIT_BATCHES = 8
"""How many batches of other queues run at most before a queue with waiting items gets a turn."""


@dataclass(eq=False, slots=True)
class _PendingItem(Generic[Result]):
    """An item that waits or runs, and the futures that receive its result."""

    enqueued_at: float
    """In the event loop's time."""
    futures: set[asyncio.Future[Result]] = field(default_factory=set)

    def resolve(self, result: Result) -> None:
        for future in self.futures:
            if not future.done():
                future.set_result(result)

    def fail(self, error: Exception) -> None:
        for future in self.futures:
            if not future.done():
                future.set_exception(error)


class BatchQueue(Generic[Item, Result]):
    """A bounded queue of items of one kind, which ``process`` takes and returns in batches.

    Equal items that wait or run at the same time are coalesced into one. The bound counts admitted
    items, not waiting ones: a caller admits its items before it preprocesses them, so that
    preprocessing is bounded too.
    """

    def __init__(
        self,
        name: str,
        process: Callable[[list[Item]], Sequence[Result]],
        *,
        batch_size: int,
        capacity: int,
        wake: asyncio.Event,
    ) -> None:
        """Admit at most ``capacity`` items at a time, and set ``wake`` when an item is enqueued."""
        self.batch_size = batch_size
        self.batch_count = 0
        """How many batches have been started."""
        self.admitted = 0
        """How many items are admitted at present."""
        self.skipped_batches = 0
        """How many batches of other queues have run while items waited here."""
        self._name = name
        self._process = process
        self._capacity = capacity
        self._wake = wake
        self._waiting: dict[Item, _PendingItem[Result]] = {}
        self._running: dict[Item, _PendingItem[Result]] = {}
        self._closed = False

    @contextmanager
    def admit(self, count: int) -> Iterator[None]:
        """Admit ``count`` items for the duration of the block, all or none. Raises Overloaded.

        A call with more items than the capacity is admitted when the queue is empty.
        """
        if self.admitted and self.admitted + count > self._capacity:
            message = f"Too many {self._name} are waiting for the model; try again in a moment."
            raise Overloaded(message)
        self.admitted += count
        try:
            yield
        finally:
            self.admitted -= count

    async def submit(self, items: Sequence[Item]) -> list[Result]:
        """Return the result of each item, in order, or raise what ``process`` raised.

        When a caller is cancelled, its waiting items leave the queue unless others share them.
        """
        if self._closed:
            raise _closed_error()
        futures = [self._enqueue(item) for item in items]
        try:
            return await asyncio.gather(*futures)
        finally:
            for item, future in zip(items, futures, strict=True):
                self._withdraw(item, future)

    def _enqueue(self, item: Item) -> asyncio.Future[Result]:
        loop = asyncio.get_running_loop()
        pending = self._running.get(item) or self._waiting.get(item)
        if pending is None:
            pending = self._waiting[item] = _PendingItem(loop.time())
            self._wake.set()
        future: asyncio.Future[Result] = loop.create_future()
        pending.futures.add(future)
        return future

    def _withdraw(self, item: Item, future: asyncio.Future[Result]) -> None:
        pending = self._waiting.get(item)
        if pending is not None:
            pending.futures.discard(future)
            if not pending.futures:
                del self._waiting[item]

    @property
    def has_waiting_items(self) -> bool:
        """Whether items wait for a batch."""
        return bool(self._waiting)

    def next_batch_at(self, max_wait_seconds: float) -> float:
        """Return when the next batch starts, in the event loop's time: 0 for a full batch."""
        if len(self._waiting) >= self.batch_size:
            return 0
        return next(iter(self._waiting.values())).enqueued_at + max_wait_seconds

    async def run_batch(self, thread: Executor) -> None:
        """Process the items that have waited longest, and resolve their futures."""
        batch = dict(islice(self._waiting.items(), self.batch_size))
        for item in batch:
            del self._waiting[item]
        self._running = batch
        self.skipped_batches = 0
        self.batch_count += 1
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(thread, self._process, list(batch))
            for pending, result in zip(batch.values(), results, strict=True):
                pending.resolve(result)
        except Exception as error:  # noqa: BLE001 - every error belongs to the callers
            for pending in batch.values():
                pending.fail(error)
        finally:
            self._running = {}

    def close(self) -> None:
        """Fail all pending items, and every later call."""
        self._closed = True
        for pending in (self._waiting | self._running).values():
            pending.fail(_closed_error())


class MicroBatcher:
    """Runs the batches of its queues, one at a time, on one worker thread.

    A batch starts when it is full or when its first item has waited ``max_wait_seconds``. Queues
    have priority in the order in which they were added. A queue with waiting items is skipped for
    at most STARVATION_LIMIT_BATCHES batches.
    """

    def __init__(self, thread: Executor, *, max_wait_seconds: float) -> None:
        self._thread = thread
        self._max_wait_seconds = max_wait_seconds
        self._wake = asyncio.Event()
        # Any: queues of different items share one list.
        self._queues: list[BatchQueue[Any, Any]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, *, max_wait_seconds: float) -> AsyncIterator[MicroBatcher]:
        """Start the thread; stop it after the current batch."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        batcher = cls(thread, max_wait_seconds=max_wait_seconds)
        scheduler = asyncio.create_task(batcher._schedule())
        try:
            yield batcher
        finally:
            for queue in batcher._queues:
                queue.close()
            scheduler.cancel()
            await asyncio.gather(scheduler, return_exceptions=True)
            await asyncio.to_thread(thread.shutdown)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call a function on the thread that processes batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def add_queue(
        self,
        name: str,
        process: Callable[[list[Item]], Sequence[Result]],
        *,
        batch_size: int,
        capacity: int,
    ) -> BatchQueue[Item, Result]:
        """Add a queue of lower priority than the existing ones. ``name`` is its items' plural."""
        queue = BatchQueue(name, process, batch_size=batch_size, capacity=capacity, wake=self._wake)
        self._queues.append(queue)
        return queue

    async def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            ready = [queue for queue in self._queues if queue.has_waiting_items]
            if not ready:
                await self._wake.wait()
                continue
            starving = (
                queue for queue in ready if queue.skipped_batches >= STARVATION_LIMIT_BATCHES
            )
            queue = next(starving, ready[0])
            delay = queue.next_batch_at(self._max_wait_seconds) - loop.time()
            if delay > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), delay)
                continue
            for other in ready:
                other.skipped_batches += 1
            await queue.run_batch(self._thread)


def _closed_error() -> RuntimeError:
    return RuntimeError("The model has been closed.")
