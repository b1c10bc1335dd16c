"""Shared batches, over work that the tests hold and release."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from domain.errors import Overloaded
from infra.clip.batching import PATIENCE, Batching, Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

A_MOMENT = 0.005


class Work:
    """Doubles letters; while held, a batch that has begun does not end."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: list[str]) -> list[str]:
        self.batches.append(items)
        self.begun.release()
        self.gate.wait(10)
        if "bad" in items:
            message = "a bad item"
            raise ValueError(message)
        return [item * 2 for item in items]

    async def has_begun(self) -> None:
        await asyncio.to_thread(self.begun.acquire, timeout=60)


class Lanes:
    """An urgent and a patient lane over one piece of work."""

    def __init__(self, batching: Batching, work: Work) -> None:
        self.urgent: Lane[str, str] = batching.lane("texts", work, batch_size=4, capacity=8)
        self.patient: Lane[str, str] = batching.lane("pictures", work, batch_size=2, capacity=8)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def lanes(work: Work) -> AsyncIterator[Lanes]:
    async with opened(work) as lanes:
        yield lanes


@asynccontextmanager
async def opened(work: Work) -> AsyncIterator[Lanes]:
    async with Batching.open(wait=A_MOMENT) as batching:
        try:
            yield Lanes(batching, work)
        finally:
            work.gate.set()


async def test_callers_that_ask_at_once_share_a_batch(lanes: Lanes, work: Work) -> None:
    answers = await asyncio.gather(*(lanes.urgent.run([letter]) for letter in "abc"))

    assert [["aa"], ["bb"], ["cc"]] == answers
    assert [["a", "b", "c"]] == work.batches
    assert lanes.urgent.batches == 1


async def test_a_batch_is_cut_at_its_size(lanes: Lanes, work: Work) -> None:
    assert ["aa", "bb", "cc", "dd", "ee"] == await lanes.urgent.run(list("abcde"))

    assert [["a", "b", "c", "d"], ["e"]] == work.batches


async def test_what_arrives_during_a_batch_goes_with_the_next(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    first = asyncio.create_task(lanes.urgent.run(["a"]))
    await work.has_begun()
    later = [asyncio.create_task(lanes.urgent.run([letter])) for letter in "bc"]
    await asyncio.sleep(0)
    work.gate.set()
    await asyncio.gather(first, *later)

    assert [["a"], ["b", "c"]] == work.batches


async def test_the_urgent_overtake_whoever_waited_longer(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    upload = asyncio.create_task(lanes.patient.run(list("abcdef")))
    await work.has_begun()
    search = asyncio.create_task(lanes.urgent.run(["x"]))
    await asyncio.sleep(0)
    work.gate.set()
    await asyncio.gather(upload, search)

    assert [["a", "b"], ["x"], ["c", "d"], ["e", "f"]] == work.batches


async def test_the_patient_get_a_turn_among_endless_urgent_batches(
    lanes: Lanes, work: Work
) -> None:
    work.gate.clear()
    urgent = asyncio.create_task(lanes.urgent.run([str(n) for n in range(4 * PATIENCE * 2)]))
    await work.has_begun()
    patient = asyncio.create_task(lanes.patient.run(["p"]))
    await asyncio.sleep(0)
    work.gate.set()
    await asyncio.gather(urgent, patient)

    assert work.batches.index(["p"]) == 1 + PATIENCE


async def test_equal_items_under_way_are_worked_on_once(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    running = asyncio.create_task(lanes.urgent.run(["a"]))
    await work.has_begun()
    joining = asyncio.create_task(lanes.urgent.run(["a", "b", "b"]))
    await asyncio.sleep(0)
    work.gate.set()

    assert ["aa"] == await running
    assert ["aa", "bb", "bb"] == await joining
    assert [["a"], ["b"]] == work.batches


async def test_a_full_lane_refuses_at_once_and_whole_calls_only(lanes: Lanes) -> None:
    with lanes.urgent.admit(6):
        with pytest.raises(Overloaded, match="Too many texts"), lanes.urgent.admit(3):
            pass
        with lanes.urgent.admit(2), lanes.patient.admit(8):
            assert lanes.urgent.admitted == 8

    assert lanes.urgent.admitted == 0


async def test_a_call_beyond_the_capacity_gets_in_alone(lanes: Lanes) -> None:
    with lanes.urgent.admit(100), pytest.raises(Overloaded), lanes.urgent.admit(1):
        pass

    with lanes.urgent.admit(1), pytest.raises(Overloaded), lanes.urgent.admit(100):
        pass


async def test_a_cancelled_caller_leaves_the_queue(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    first = asyncio.create_task(lanes.urgent.run(["a"]))
    await work.has_begun()
    leaving = asyncio.create_task(lanes.urgent.run(["b", "c"]))
    staying = asyncio.create_task(lanes.urgent.run(["c"]))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    work.gate.set()

    assert ["aa"] == await first
    assert ["cc"] == await staying
    assert [["a"], ["c"]] == work.batches


async def test_a_caller_cancelled_during_its_batch_disturbs_nobody(
    lanes: Lanes, work: Work
) -> None:
    work.gate.clear()
    leaving = asyncio.create_task(lanes.urgent.run(["a"]))
    staying = asyncio.create_task(lanes.urgent.run(["a", "b"]))
    await work.has_begun()
    leaving.cancel()
    work.gate.set()

    assert ["aa", "bb"] == await staying


async def test_a_failure_reaches_its_callers_and_the_next_batch_runs(
    lanes: Lanes, work: Work
) -> None:
    work.gate.clear()
    first = asyncio.create_task(lanes.urgent.run(["a"]))
    await work.has_begun()
    failing = asyncio.gather(
        lanes.urgent.run(["bad", "worse"]), lanes.urgent.run(["b"]), return_exceptions=True
    )
    await asyncio.sleep(0)
    work.gate.set()

    assert ["aa"] == await first
    assert ["a bad item", "a bad item"] == [str(error) for error in await failing]
    assert ["cc"] == await lanes.urgent.run(["c"])


async def test_closing_turns_away_who_waits_and_who_comes(work: Work) -> None:
    work.gate.clear()
    async with opened(work) as lanes:
        running = asyncio.create_task(lanes.urgent.run(["a"]))
        await work.has_begun()
        waiting = asyncio.create_task(lanes.patient.run(["b"]))
        await asyncio.sleep(0)

    for call in (running, waiting, lanes.urgent.run(["c"])):
        with pytest.raises(RuntimeError, match="closed"):
            await call
    assert [["a"]] == work.batches


async def test_the_thread_is_prepared_before_its_first_batch() -> None:
    names: list[str] = []

    def prepare() -> None:
        names.append(threading.current_thread().name)

    def work(items: list[str]) -> list[str]:
        return [threading.current_thread().name for _ in items]

    async with Batching.open(wait=0, prepare=prepare) as batching:
        lane: Lane[str, str] = batching.lane("texts", work, batch_size=1, capacity=1)
        assert names == await lane.run(["a"])
