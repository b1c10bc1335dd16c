"""Gaps: found, and written down again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.work import WorkCounts
from infra.postgres.work.repair_queue import PostgresRepairQueue
from tests.contracts.desks import (
    EAST,
    FAILED,
    PROCESSING,
    READY,
    Desk,
    MemoryDesk,
    desk_over,
    made,
    processing,
)
from tests.fakes.images import image_with
from tests.fakes.repair_queue import MemoryRepairQueue

if TYPE_CHECKING:
    from domain.ports import RepairQueue
    from tests.postgres_library import ImageLibrary

MINUTE = 60.0


@pytest.fixture
def desk(catalog: ImageLibrary) -> Desk:
    return desk_over(catalog)


@pytest.fixture
def gaps(desk: Desk) -> RepairQueue:
    if isinstance(desk, MemoryDesk):
        return MemoryRepairQueue(desk.catalog, desk.work)
    return PostgresRepairQueue(desk.catalog.engine)


async def test_what_is_embedded_or_waits_for_it_is_no_gap(desk: Desk, gaps: RepairQueue) -> None:
    await desk.catalog.add(image_with(), EAST)
    await desk.catalog.add_pending(processing())
    assert [] == await gaps.unembedded()
    assert 0 == await gaps.enqueue_unembedded()


async def test_what_nobody_works_on_is_written_down_again(desk: Desk, gaps: RepairQueue) -> None:
    image = processing()
    await desk.catalog.add_pending(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    # Whoever had it is gone, and so is what was written down.
    if isinstance(desk, MemoryDesk):
        desk.work.entries.clear()
    else:
        await desk.run("DELETE FROM work")
    assert [image.id] == await gaps.unembedded()
    assert 1 == await gaps.enqueue_unembedded()
    assert [] == await gaps.unembedded()
    [again] = await desk.work.lease(1, seconds=MINUTE)
    assert (task.subject, 1) == (again.subject, again.attempts)


async def test_what_was_set_aside_gets_another_chance(desk: Desk, gaps: RepairQueue) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    assert 1 == await gaps.reprocess([image.id])
    assert PROCESSING is (await desk.catalog.get([image.id]))[image.id].status
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert [] == await desk.work.finish([made(task)])
    assert READY is (await desk.catalog.get([image.id]))[image.id].status
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_what_has_failed_is_found_by_nothing_and_worked_on_by_nobody(
    desk: Desk, gaps: RepairQueue
) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    await gaps.reprocess([image.id])
    assert 1 == await gaps.fail([image.id], "Its original is lost.")
    failed = (await desk.catalog.get([image.id]))[image.id]
    assert (FAILED, "Its original is lost.") == (failed.status, failed.failure_reason)
    assert {} == await desk.catalog.embeddings([image.id])
    assert [] == await desk.work.lease(1, seconds=MINUTE)
    assert [] == await gaps.unembedded()
