"""Retrying failed calls."""

from __future__ import annotations

import asyncio

import pytest

from domain.concurrency import RETRY_CONCURRENCY, Retry
from domain.errors import ImageNotFound, Overloaded


class FailingCall:
    """Raises the given failures first, and then returns the number of calls."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.failures:
            raise self.failures.pop()
        return self.calls


async def test_a_failed_call_is_retried() -> None:
    assert 3 == await Retry((0.0, 0.0))(FailingCall(OSError(), OSError()))


async def test_the_last_failure_is_raised() -> None:
    call = FailingCall(*[ConnectionResetError()] * 4)
    with pytest.raises(ConnectionResetError):
        await Retry((0.0, 0.0))(call)
    assert 3 == call.calls


async def test_a_refusal_is_not_retried() -> None:
    call = FailingCall(ImageNotFound("gone"))
    with pytest.raises(ImageNotFound):
        await Retry()(call)
    assert 1 == call.calls


async def test_overload_is_retried() -> None:
    assert 2 == await Retry((0.0,))(FailingCall(Overloaded("busy")))


async def test_only_the_chosen_failures_are_retried() -> None:
    call = FailingCall(ConnectionResetError(), Overloaded("busy"))
    with pytest.raises(ConnectionResetError):
        await Retry((0.0, 0.0), only=Overloaded)(call)
    assert 2 == call.calls


async def test_the_number_of_concurrent_calls_is_bounded() -> None:
    retry = Retry((0.0,))
    running, most = 0, 0

    async def run() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(retry(run) for _ in range(20)))
    assert RETRY_CONCURRENCY == most
