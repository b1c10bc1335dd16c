"""Work that many ask for at once."""

from __future__ import annotations

import asyncio

import pytest

from domain.concurrency import Coalescer


class Work:
    """Counts its runs, each of which goes on until it is let go."""

    def __init__(self) -> None:
        self.runs = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self) -> int:
        self.runs += 1
        number = self.runs
        await self.go.acquire()
        if number == 2:
            raise ConnectionRefusedError
        return number


async def test_those_who_ask_during_a_turn_share_the_next_one() -> None:
    turns, work = Coalescer(), Work()
    first = asyncio.create_task(turns.run(work))
    await asyncio.sleep(0)
    work.runs = 2
    others = [asyncio.create_task(turns.run(work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.release()
    work.go.release()
    assert [1, 3, 3, 3, 3, 3] == await asyncio.gather(first, *others)
    work.go.release()
    assert 4 == await turns.run(work)


async def test_a_turn_that_failed_is_shared_by_nobody() -> None:
    turns, work = Coalescer(), Work()
    first, second, third = [asyncio.create_task(turns.run(work)) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(3):
        work.go.release()
    assert 1 == await first
    with pytest.raises(ConnectionRefusedError):
        await second
    assert 3 == await third
