"""Coalescing concurrent calls."""

from __future__ import annotations

import asyncio

import pytest

from domain.concurrency import Coalescer


class Work:
    """Counts its runs. Each waits until it is released, and the second one fails."""

    def __init__(self) -> None:
        self.runs = 0
        self.release = asyncio.Semaphore(0)

    async def __call__(self) -> int:
        self.runs += 1
        number = self.runs
        await self.release.acquire()
        if number == 2:
            raise ConnectionRefusedError
        return number


async def test_callers_that_arrive_during_a_run_share_the_next_one() -> None:
    coalescer, work = Coalescer(), Work()
    first = asyncio.create_task(coalescer.run(work))
    await asyncio.sleep(0)
    work.runs = 2
    others = [asyncio.create_task(coalescer.run(work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.release.release()
    work.release.release()
    assert [1, 3, 3, 3, 3, 3] == await asyncio.gather(first, *others)
    work.release.release()
    assert 4 == await coalescer.run(work)


async def test_a_failed_run_is_not_shared() -> None:
    coalescer, work = Coalescer(), Work()
    first, second, third = [asyncio.create_task(coalescer.run(work)) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(3):
        work.release.release()
    assert 1 == await first
    with pytest.raises(ConnectionRefusedError):
        await second
    assert 3 == await third
