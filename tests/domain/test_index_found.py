"""An import ends when all found objects are indexed, by any worker."""

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
    from tests.fakes.object_listing import MemoryObjectListing
    from tests.fakes.work_queue import MemoryWorkQueue

ROOT = "s3://photos/"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMPORT_POLL_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def pictures(object_listing: MemoryObjectListing) -> None:
    for number in range(40):
        object_listing.put(f"{ROOT}{number}", picture_file((number, 0, 1)))


async def waiting_counts(use_cases: UseCases, listing: Coroutine[None, None, object]) -> list[int]:
    task = asyncio.ensure_future(listing)
    return [
        waiting
        async for waiting in use_cases.index_found(lambda: KeyRange.below(ROOT), listing=task)
    ]


async def test_found_objects_are_indexed_until_none_is_waiting(use_cases: UseCases) -> None:
    counts = await waiting_counts(use_cases, use_cases.reconcile(ROOT))
    assert counts[-1] == 0
    assert 40 == await use_cases.list.count(EVERYTHING)
    assert {0} == set(await waiting_counts(use_cases, use_cases.reconcile(ROOT)))


async def test_an_import_waits_for_the_tasks_that_others_have_leased(
    use_cases: UseCases, work_queue: MemoryWorkQueue, clock: SettableClock
) -> None:
    await use_cases.reconcile(ROOT)
    assert 3 == len(await work_queue.lease(3, seconds=60))
    counts: list[int] = []
    listing = asyncio.ensure_future(use_cases.reconcile(ROOT))
    async for waiting in use_cases.index_found(lambda: KeyRange.below(ROOT), listing=listing):
        counts.append(waiting)
        if counts[-3:] == [3, 3, 3]:
            clock.now = clock.now.replace(year=2030)
    assert counts[-1] == 0
    assert 40 == await use_cases.list.count(EVERYTHING)


async def test_a_failed_listing_ends_the_import_and_leaves_no_task_running(
    use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    before = len(asyncio.all_tasks())
    object_listing.fails_after = 5
    with pytest.raises(ConnectionResetError):
        await waiting_counts(use_cases, use_cases.reconcile(ROOT))
    assert before == len(asyncio.all_tasks())
