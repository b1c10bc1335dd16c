"""Gaps: found, and written down again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.work import WorkCounts
from infra.postgres.gaps import PostgresGaps
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
from tests.fakes.gaps import MemoryGaps
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.ports import Catalog, Gaps

MINUTE = 60.0


@pytest.fixture
def desk(catalog: Catalog) -> Desk:
    return desk_over(catalog)


@pytest.fixture
def gaps(desk: Desk) -> Gaps:
    if isinstance(desk, MemoryDesk):
        return MemoryGaps(desk.catalog, desk.work)
    return PostgresGaps(desk.catalog.engine)


async def test_what_is_embedded_or_waits_for_it_is_no_gap(desk: Desk, gaps: Gaps) -> None:
    await desk.catalog.add(image_with(), EAST)
    await desk.catalog.expect(processing())
    assert [] == await gaps.unembedded()
    assert 0 == await gaps.close()


async def test_what_nobody_works_on_is_written_down_again(desk: Desk, gaps: Gaps) -> None:
    image = processing()
    await desk.catalog.expect(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    # Whoever had it is gone, and so is what was written down.
    if isinstance(desk, MemoryDesk):
        desk.work.entries.clear()
    else:
        await desk.run("DELETE FROM work")
    assert [image.id] == await gaps.unembedded()
    assert 1 == await gaps.close()
    assert [] == await gaps.unembedded()
    [again] = await desk.work.lease(1, seconds=MINUTE)
    assert (task.subject, 1) == (again.subject, again.attempts)


async def test_what_was_set_aside_gets_another_chance(desk: Desk, gaps: Gaps) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    assert 1 == await gaps.redo([image.id])
    assert PROCESSING is (await desk.catalog.get([image.id]))[image.id].status
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert [] == await desk.work.finish([made(task)])
    assert READY is (await desk.catalog.get([image.id]))[image.id].status
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_what_has_failed_is_found_by_nothing_and_worked_on_by_nobody(
    desk: Desk, gaps: Gaps
) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    await gaps.redo([image.id])
    assert 1 == await gaps.fail([image.id], "Its original is lost.")
    failed = (await desk.catalog.get([image.id]))[image.id]
    assert (FAILED, "Its original is lost.") == (failed.status, failed.failure_reason)
    assert {} == await desk.catalog.embeddings([image.id])
    assert [] == await desk.work.lease(1, seconds=MINUTE)
    assert [] == await gaps.unembedded()
