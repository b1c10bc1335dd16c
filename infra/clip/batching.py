"""Work in shared batches on one thread: callers that ask at once are served together."""

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

PATIENCE = 8
"""How many batches of other lanes a lane with work lets pass before it takes a turn."""


@dataclass(eq=False, slots=True)
class _Place(Generic[Result]):
    """An item under way: when it came, and everyone who waits for its result."""

    since: float
    callers: set[asyncio.Future[Result]] = field(default_factory=set)

    def answer(self, result: Result) -> None:
        for caller in self.callers:
            if not caller.done():
                caller.set_result(result)

    def refuse(self, error: Exception) -> None:
        for caller in self.callers:
            if not caller.done():
                caller.set_exception(error)


class Lane(Generic[Item, Result]):
    """Items of one kind on their way through ``work``, which takes and returns whole batches.

    Equal items that are under way together are worked on once. A call is admitted first, for as
    long as its items are under way, so that what it does before they wait counts too.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Result]],
        *,
        batch_size: int,
        capacity: int,
        arrived: asyncio.Event,
    ) -> None:
        """Take at most ``capacity`` items under way, and set ``arrived`` when one comes."""
        self.batch_size = batch_size
        self.batches = 0
        """How many batches were worked on."""
        self.admitted = 0
        """How many items are under way."""
        self.passed_over = 0
        """How many batches of other lanes went by while items waited in this one."""
        self._name = name
        self._work = work
        self._capacity = capacity
        self._arrived = arrived
        self._waiting: dict[Item, _Place[Result]] = {}
        self._running: dict[Item, _Place[Result]] = {}
        self._closed = False

    @contextmanager
    def admit(self, count: int) -> Iterator[None]:
        """Let ``count`` items in, all or none. Raises Overloaded.

        A call that is larger than the capacity gets in when nothing else is under way.
        """
        if self.admitted and self.admitted + count > self._capacity:
            message = f"Too many {self._name} are waiting for the model; try again in a moment."
            raise Overloaded(message)
        self.admitted += count
        try:
            yield
        finally:
            self.admitted -= count

    async def run(self, items: Sequence[Item]) -> list[Result]:
        """Return what ``work`` makes of each item, or raise what it raised.

        The items of a caller that is cancelled leave the queue.
        """
        if self._closed:
            raise _closed()
        futures = [self._join(item) for item in items]
        try:
            return await asyncio.gather(*futures)
        finally:
            for item, future in zip(items, futures, strict=True):
                self._leave(item, future)

    def _join(self, item: Item) -> asyncio.Future[Result]:
        loop = asyncio.get_running_loop()
        place = self._running.get(item) or self._waiting.get(item)
        if place is None:
            place = self._waiting[item] = _Place(loop.time())
            self._arrived.set()
        future: asyncio.Future[Result] = loop.create_future()
        place.callers.add(future)
        return future

    def _leave(self, item: Item, future: asyncio.Future[Result]) -> None:
        place = self._waiting.get(item)
        if place is not None:
            place.callers.discard(future)
            if not place.callers:
                del self._waiting[item]

    @property
    def has_work(self) -> bool:
        """Whether items wait."""
        return bool(self._waiting)

    def due(self, wait: float) -> float:
        """Return when the next batch starts, in the loop's time: a full one starts at once."""
        if len(self._waiting) >= self.batch_size:
            return 0
        return next(iter(self._waiting.values())).since + wait

    async def run_batch(self, thread: Executor) -> None:
        """Work on those items that wait longest, and answer everyone who waits for them."""
        batch = dict(islice(self._waiting.items(), self.batch_size))
        for item in batch:
            del self._waiting[item]
        self._running = batch
        self.passed_over = 0
        self.batches += 1
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(thread, self._work, list(batch))
            for place, result in zip(batch.values(), results, strict=True):
                place.answer(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for the callers
            for place in batch.values():
                place.refuse(error)
        finally:
            self._running = {}

    def close(self) -> None:
        """Turn away everyone who waits and everyone who comes."""
        self._closed = True
        for place in (self._waiting | self._running).values():
            place.refuse(_closed())


class Batching:
    """Runs the batches of its lanes, one at a time, on a thread of its own.

    A batch starts when it is full or when its first item has waited for ``wait`` seconds. A lane
    that was made earlier goes first, except that nobody is passed over more than PATIENCE times.
    """

    def __init__(self, thread: Executor, *, wait: float) -> None:
        self._thread = thread
        self._wait = wait
        self._arrived = asyncio.Event()
        # Any: lanes of different items stand in one list.
        self._lanes: list[Lane[Any, Any]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, wait: float, prepare: Callable[[], object] = lambda: None
    ) -> AsyncIterator[Batching]:
        """Start the thread, which calls ``prepare`` first, and stop it after the batch it is at."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="model", initializer=prepare)
        batching = cls(thread, wait=wait)
        worker = asyncio.create_task(batching._serve())
        try:
            yield batching
        finally:
            for lane in batching._lanes:
                lane.close()
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await asyncio.to_thread(thread.shutdown)

    def lane(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Result]],
        *,
        batch_size: int,
        capacity: int,
    ) -> Lane[Item, Result]:
        """Make a lane behind those that are there. ``name`` says in plural what goes along it."""
        lane = Lane(name, work, batch_size=batch_size, capacity=capacity, arrived=self._arrived)
        self._lanes.append(lane)
        return lane

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._arrived.clear()
            ready = [lane for lane in self._lanes if lane.has_work]
            if not ready:
                await self._arrived.wait()
                continue
            lane = next((lane for lane in ready if lane.passed_over >= PATIENCE), ready[0])
            left = lane.due(self._wait) - loop.time()
            if left > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), left)
                continue
            for other in ready:
                other.passed_over += 1
            await lane.run_batch(self._thread)


def _closed() -> RuntimeError:
    return RuntimeError("The model has been closed.")
