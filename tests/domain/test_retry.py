"""Looking again after a failure."""

from __future__ import annotations

import asyncio

import pytest

from domain.concurrency import RETRY_CONCURRENCY, Retry
from domain.errors import ImageNotFound


class Look:
    """Something that fails so many times."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.looked = 0

    async def __call__(self) -> int:
        self.looked += 1
        if self.failures:
            raise self.failures.pop()
        return self.looked


async def test_what_fails_is_done_again() -> None:
    assert 3 == await Retry((0.0, 0.0))(Look(OSError(), OSError()))


async def test_what_stays_is_raised() -> None:
    look = Look(*[ConnectionResetError()] * 4)
    with pytest.raises(ConnectionResetError):
        await Retry((0.0, 0.0))(look)
    assert 3 == look.looked


async def test_a_refusal_is_an_answer() -> None:
    look = Look(ImageNotFound("gone"))
    with pytest.raises(ImageNotFound):
        await Retry()(look)
    assert 1 == look.looked


async def test_some_look_at_a_time_and_nobody_while_they_pause() -> None:
    patience = Retry((0.0,))
    looking, most = 0, 0

    async def look() -> None:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        await asyncio.sleep(0)
        looking -= 1

    await asyncio.gather(*(patience(look) for _ in range(20)))
    assert RETRY_CONCURRENCY == most
