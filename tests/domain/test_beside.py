"""Work that runs beside a block."""

from __future__ import annotations

import asyncio

import pytest

from domain.concurrency import beside


class Work:
    """Waits until it is released, and notes how it ended."""

    def __init__(self) -> None:
        self.is_started = asyncio.Event()
        self.is_released = asyncio.Event()
        self.end: str | None = None

    async def __call__(self) -> None:
        self.is_started.set()
        try:
            await self.is_released.wait()
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise
        self.end = "done"


async def test_the_work_runs_while_the_block_does_and_is_awaited_at_its_end() -> None:
    work = Work()
    async with beside(work()):
        await work.is_started.wait()
        asyncio.get_running_loop().call_soon(work.is_released.set)
        assert work.end is None
    assert "done" == work.end


async def test_an_error_of_the_block_ends_the_work() -> None:
    work = Work()

    async def block() -> None:
        async with beside(work()):
            await work.is_started.wait()
            raise KeyError

    with pytest.raises(KeyError):
        await block()
    assert "cancelled" == work.end


async def test_an_error_of_the_work_is_raised_at_the_end_of_the_block() -> None:
    async def fail() -> None:
        raise KeyError

    reached = []

    async def block() -> None:
        async with beside(fail()):
            await asyncio.sleep(0)
            reached.append("the end")

    with pytest.raises(KeyError):
        await block()
    assert ["the end"] == reached
