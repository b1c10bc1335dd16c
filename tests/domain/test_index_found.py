"""An import ends when all is done that it found, whoever has done it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange
from domain.entities.filters import EVERYTHING
from domain.use_cases.imports import index_found as module
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from domain import UseCases
    from tests.fakes.clock import SettableClock
    from tests.fakes.places import MemoryObjectListing
    from tests.fakes.work import MemoryWorkQueue

ROOT = "s3://photos/"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMPORT_POLL_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def pictures(places: MemoryObjectListing) -> None:
    for number in range(40):
        places.put(f"{ROOT}{number}", picture_file(words=str(number)))


async def waited(use_cases: UseCases, listing: Coroutine[None, None, object]) -> list[int]:
    task = asyncio.ensure_future(listing)
    return [
        waiting
        async for waiting in use_cases.index_found(lambda: KeyRange.below(ROOT), listing=task)
    ]


async def test_what_is_found_is_indexed_until_nothing_waits(use_cases: UseCases) -> None:
    told = await waited(use_cases, use_cases.reconcile(ROOT))
    assert told[-1] == 0
    assert 40 == await use_cases.list.count(EVERYTHING)
    assert {0} == set(await waited(use_cases, use_cases.reconcile(ROOT)))


async def test_it_waits_for_what_others_have_leased(
    use_cases: UseCases, work: MemoryWorkQueue, clock: SettableClock
) -> None:
    await use_cases.reconcile(ROOT)
    assert 3 == len(await work.lease(3, seconds=60))
    told: list[int] = []
    listing = asyncio.ensure_future(use_cases.reconcile(ROOT))
    async for waiting in use_cases.index_found(lambda: KeyRange.below(ROOT), listing=listing):
        told.append(waiting)
        if told[-3:] == [3, 3, 3]:
            clock.now = clock.now.replace(year=2030)
    assert told[-1] == 0
    assert 40 == await use_cases.list.count(EVERYTHING)


async def test_a_listing_that_fails_ends_it_and_leaves_nothing_running(
    use_cases: UseCases, places: MemoryObjectListing
) -> None:
    before = len(asyncio.all_tasks())
    places.breaks_behind = 5
    with pytest.raises(ConnectionResetError):
        await waited(use_cases, use_cases.reconcile(ROOT))
    assert before == len(asyncio.all_tasks())
