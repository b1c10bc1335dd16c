"""Micro-batching, over a function that the tests can block."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from domain.errors import Overloaded
from infra.clip.batching import STARVATION_LIMIT_BATCHES, BatchQueue, MicroBatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_WAIT_SECONDS = 0.005


class BlockableDoubler:
    """Doubles letters; while ``gate`` is cleared, a batch that has started does not end."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.started = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: list[str]) -> list[str]:
        self.batches.append(items)
        self.started.release()
        self.gate.wait(10)
        if "bad" in items:
            message = "a bad item"
            raise ValueError(message)
        return [item * 2 for item in items]

    async def wait_for_start(self) -> None:
        await asyncio.to_thread(self.started.acquire, timeout=60)


class Queues:
    """Two queues of different priority over one function."""

    def __init__(self, batcher: MicroBatcher, doubler: BlockableDoubler) -> None:
        self.high: BatchQueue[str, str] = batcher.add_queue(
            "texts", doubler, batch_size=4, capacity=8
        )
        self.low: BatchQueue[str, str] = batcher.add_queue(
            "pictures", doubler, batch_size=2, capacity=8
        )


@pytest.fixture
def doubler() -> BlockableDoubler:
    return BlockableDoubler()


@pytest.fixture
async def queues(doubler: BlockableDoubler) -> AsyncIterator[Queues]:
    async with open_queues(doubler) as queues:
        yield queues


@asynccontextmanager
async def open_queues(doubler: BlockableDoubler) -> AsyncIterator[Queues]:
    async with MicroBatcher.open(max_wait_seconds=MAX_WAIT_SECONDS) as batcher:
        try:
            yield Queues(batcher, doubler)
        finally:
            doubler.gate.set()


async def test_concurrent_callers_share_a_batch(queues: Queues, doubler: BlockableDoubler) -> None:
    results = await asyncio.gather(*(queues.high.submit([letter]) for letter in "abc"))

    assert [["aa"], ["bb"], ["cc"]] == results
    assert [["a", "b", "c"]] == doubler.batches
    assert queues.high.batch_count == 1


async def test_a_batch_has_at_most_its_size(queues: Queues, doubler: BlockableDoubler) -> None:
    assert ["aa", "bb", "cc", "dd", "ee"] == await queues.high.submit(list("abcde"))

    assert [["a", "b", "c", "d"], ["e"]] == doubler.batches


async def test_items_that_arrive_during_a_batch_share_the_next_one(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    first = asyncio.create_task(queues.high.submit(["a"]))
    await doubler.wait_for_start()
    later = [asyncio.create_task(queues.high.submit([letter])) for letter in "bc"]
    await asyncio.sleep(0)
    doubler.gate.set()
    await asyncio.gather(first, *later)

    assert [["a"], ["b", "c"]] == doubler.batches


async def test_the_first_queue_has_priority_over_items_that_waited_longer(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    upload = asyncio.create_task(queues.low.submit(list("abcdef")))
    await doubler.wait_for_start()
    search = asyncio.create_task(queues.high.submit(["x"]))
    await asyncio.sleep(0)
    doubler.gate.set()
    await asyncio.gather(upload, search)

    assert [["a", "b"], ["x"], ["c", "d"], ["e", "f"]] == doubler.batches


async def test_a_queue_of_low_priority_does_not_starve(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    items = [str(n) for n in range(4 * STARVATION_LIMIT_BATCHES * 2)]
    doubler.gate.clear()
    high = asyncio.create_task(queues.high.submit(items))
    await doubler.wait_for_start()
    low = asyncio.create_task(queues.low.submit(["p"]))
    await asyncio.sleep(0)
    doubler.gate.set()
    await asyncio.gather(high, low)

    assert doubler.batches.index(["p"]) == 1 + STARVATION_LIMIT_BATCHES


async def test_equal_pending_items_are_processed_once(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    running = asyncio.create_task(queues.high.submit(["a"]))
    await doubler.wait_for_start()
    joining = asyncio.create_task(queues.high.submit(["a", "b", "b"]))
    await asyncio.sleep(0)
    doubler.gate.set()

    assert ["aa"] == await running
    assert ["aa", "bb", "bb"] == await joining
    assert [["a"], ["b"]] == doubler.batches


async def test_a_full_queue_refuses_whole_calls_at_once(queues: Queues) -> None:
    with queues.high.admit(6):
        with pytest.raises(Overloaded, match="Too many texts"), queues.high.admit(3):
            pass
        with queues.high.admit(2), queues.low.admit(8):
            assert queues.high.admitted == 8

    assert queues.high.admitted == 0


async def test_a_call_beyond_the_capacity_is_admitted_to_an_empty_queue(queues: Queues) -> None:
    with queues.high.admit(100), pytest.raises(Overloaded), queues.high.admit(1):
        pass

    with queues.high.admit(1), pytest.raises(Overloaded), queues.high.admit(100):
        pass


async def test_the_items_of_a_cancelled_caller_leave_the_queue(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    first = asyncio.create_task(queues.high.submit(["a"]))
    await doubler.wait_for_start()
    cancelled = asyncio.create_task(queues.high.submit(["b", "c"]))
    staying = asyncio.create_task(queues.high.submit(["c"]))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    doubler.gate.set()

    assert ["aa"] == await first
    assert ["cc"] == await staying
    assert [["a"], ["c"]] == doubler.batches


async def test_a_caller_cancelled_during_its_batch_does_not_affect_the_others(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    cancelled = asyncio.create_task(queues.high.submit(["a"]))
    staying = asyncio.create_task(queues.high.submit(["a", "b"]))
    await doubler.wait_for_start()
    cancelled.cancel()
    doubler.gate.set()

    assert ["aa", "bb"] == await staying


async def test_an_error_reaches_its_callers_and_the_next_batch_runs(
    queues: Queues, doubler: BlockableDoubler
) -> None:
    doubler.gate.clear()
    first = asyncio.create_task(queues.high.submit(["a"]))
    await doubler.wait_for_start()
    failing = asyncio.gather(
        queues.high.submit(["bad", "worse"]), queues.high.submit(["b"]), return_exceptions=True
    )
    await asyncio.sleep(0)
    doubler.gate.set()

    assert ["aa"] == await first
    assert ["a bad item", "a bad item"] == [str(error) for error in await failing]
    assert ["cc"] == await queues.high.submit(["c"])


async def test_closing_fails_pending_and_later_calls(doubler: BlockableDoubler) -> None:
    doubler.gate.clear()
    async with open_queues(doubler) as queues:
        running = asyncio.create_task(queues.high.submit(["a"]))
        await doubler.wait_for_start()
        waiting = asyncio.create_task(queues.low.submit(["b"]))
        await asyncio.sleep(0)

    for call in (running, waiting, queues.high.submit(["c"])):
        with pytest.raises(RuntimeError, match="closed"):
            await call
    assert [["a"]] == doubler.batches


async def test_a_function_runs_on_the_thread_of_the_batches() -> None:
    def process(items: list[str]) -> list[str]:
        return [threading.current_thread().name for _ in items]

    async with MicroBatcher.open(max_wait_seconds=0) as batcher:
        queue: BatchQueue[str, str] = batcher.add_queue("texts", process, batch_size=1, capacity=1)
        assert [await batcher.run(lambda: threading.current_thread().name)] == await queue.submit(
            ["a"]
        )
