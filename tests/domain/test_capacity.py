"""Capacities: bounded concurrent uses, of which a part is reserved."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from domain.concurrency import Capacity, may_use_reserve
from domain.errors import Overloaded


def capacity(size: int, *, reserved: int = 0, wait: float = 0.01) -> Capacity:
    return Capacity(size, reserved=reserved, max_wait_seconds=wait, refusal="It is busy.")


@pytest.fixture(autouse=True)
def _anonymous() -> None:
    may_use_reserve.set(False)


async def test_a_caller_that_waits_too_long_is_refused() -> None:
    limit = capacity(1)
    async with limit.use():
        with pytest.raises(Overloaded, match=r"It is busy\."):
            async with limit.use():
                pass
    async with limit.use():
        pass


async def test_waiting_callers_are_served_in_order() -> None:
    limit = capacity(1, wait=60)
    served: list[int] = []

    async def use(number: int) -> None:
        async with limit.use():
            served.append(number)

    async with limit.use():
        waiting = [asyncio.create_task(use(number)) for number in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert [0, 1, 2, 3, 4] == served


async def test_the_reserved_part_is_left_to_callers_that_may_use_it() -> None:
    limit = capacity(3, reserved=1)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(limit.use())
        with pytest.raises(Overloaded):
            await limit.acquire()
        may_use_reserve.set(True)
        await stack.enter_async_context(limit.use())
        with pytest.raises(Overloaded):
            await limit.acquire()


async def test_a_cancelled_wait_takes_nothing() -> None:
    limit = capacity(1, wait=60)
    async with limit.use():
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await limit.acquire() is False
