"""The contract of RepairQueue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.faults import Fault
from domain.entities.work import WorkCounts
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.work.repair_queue import PostgresRepairQueue
from tests.contracts.work_fixtures import (
    EAST,
    FAILED,
    PROCESSING,
    READY,
    MemoryWorkFixture,
    WorkFixture,
    indexed,
    pending_image,
    work_fixture_over,
)
from tests.fakes.images import NOON, image_with
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from domain.ports import RepairQueue
    from tests.postgres_library import ImageLibrary

MINUTE_SECONDS = 60.0


@pytest.fixture
def fixture(catalog: ImageLibrary) -> WorkFixture:
    return work_fixture_over(catalog)


@pytest.fixture
def repairs(fixture: WorkFixture) -> RepairQueue:
    if isinstance(fixture, MemoryWorkFixture):
        return MemoryRepairQueue(fixture.catalog, fixture.queue)
    return PostgresRepairQueue(fixture.catalog.engine)


async def lose_tasks(fixture: WorkFixture) -> None:
    if isinstance(fixture, MemoryWorkFixture):
        fixture.queue.entries.clear()
    else:
        await fixture.run("DELETE FROM work")


async def test_images_with_an_embedding_or_a_task_are_not_returned(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    await fixture.catalog.add(image_with(), EAST)
    await fixture.catalog.add_pending(pending_image())
    assert [] == await repairs.unembedded()
    assert 0 == await repairs.enqueue_unembedded()


async def test_a_pending_image_without_a_task_gets_one(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    image = pending_image()
    await fixture.catalog.add_pending(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await lose_tasks(fixture)
    assert [image.id] == await repairs.unembedded()
    assert 1 == await repairs.enqueue_unembedded()
    assert [] == await repairs.unembedded()
    [again] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert (task.subject, 1) == (again.subject, again.attempts)


async def test_restoring_tasks_adds_a_task_for_each_processing_image_without_one(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    await fixture.catalog.add(image_with(), EAST)
    image = pending_image()
    await fixture.catalog.add_pending(image)
    assert 0 == await repairs.restore_tasks()
    assert 1 == len(await fixture.queue.lease(1, seconds=MINUTE_SECONDS))
    assert 0 == await repairs.restore_tasks()
    await lose_tasks(fixture)
    assert 1 == await repairs.restore_tasks()
    assert 0 == await repairs.restore_tasks()
    [task] = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert image.id == task.image_id


async def test_an_image_reprocessed_while_a_worker_holds_it_as_ready_keeps_its_task(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    await fixture.add(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await repairs.reprocess([image.id])
    assert [] == await fixture.queue.finish([indexed(task)])
    [again] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.finish([indexed(again)])
    assert READY is (await fixture.catalog.get([image.id]))[image.id].status


async def test_a_reprocessed_image_is_processing_until_its_task_is_finished(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    assert 1 == await repairs.reprocess([image.id])
    assert PROCESSING is (await fixture.catalog.get([image.id]))[image.id].status
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.finish([indexed(task)])
    assert READY is (await fixture.catalog.get([image.id]))[image.id].status
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_a_failed_image_has_no_embedding_and_no_task(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    await repairs.reprocess([image.id])
    assert 1 == await repairs.fail([image.id], "Its original is lost.")
    failed = (await fixture.catalog.get([image.id]))[image.id]
    assert (FAILED, "Its original is lost.") == (failed.status, failed.failure_reason)
    assert {} == await fixture.catalog.embeddings([image.id])
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert [] == await repairs.unembedded()


async def test_an_image_that_failed_in_the_trash_is_not_findable_once_restored(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    trash = (
        MemoryTrash(fixture.catalog)
        if isinstance(fixture, MemoryWorkFixture)
        else PostgresTrash(fixture.catalog.engine)
    )
    await trash.add([image.id], NOON)
    assert 1 == await repairs.fail([image.id], "Its original is lost.")
    if not isinstance(fixture, MemoryWorkFixture):
        assert [] == await fixture.run("SELECT image_id FROM deleted_embeddings")
    assert FAILED is (await trash.restore([image.id]))[image.id].status
    assert {} == await fixture.catalog.embeddings([image.id])
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert {} == await repairs.violations()


async def test_a_whole_library_breaks_no_invariant(
    fixture: WorkFixture, repairs: RepairQueue
) -> None:
    await fixture.catalog.add(image_with(), EAST)
    await fixture.catalog.add_pending(pending_image())
    await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert {} == await repairs.violations()


async def test_broken_invariants_of_the_database_are_found(catalog: ImageLibrary) -> None:
    fixture = work_fixture_over(catalog)
    if isinstance(fixture, MemoryWorkFixture):
        pytest.skip("The dictionaries of the fake cannot be broken like that.")
    repairs = PostgresRepairQueue(fixture.catalog.engine)
    twins = [await catalog.add(image_with(), EAST) for _ in range(2)]
    gone, failed = [await catalog.add(image_with(), EAST) for _ in range(2)]
    await catalog.add_pending(endless := pending_image())
    await fixture.run("ALTER TABLE images DROP CONSTRAINT images_sha256_key")
    await fixture.run(
        "UPDATE images SET sha256 = 'a' WHERE id = ANY(:ids)", ids=[t.id for t in twins]
    )
    await fixture.run("UPDATE images SET deleted_at = now() WHERE id = :id", id=gone.id)
    await fixture.run("UPDATE images SET status = 'failed' WHERE id = :id", id=failed.id)
    await fixture.run("UPDATE work SET attempts = 99 WHERE image_id = :id", id=endless.id)
    found = await repairs.violations()
    assert {
        Fault.SAME_BYTES: {image.id for image in twins},
        Fault.WRONGLY_FINDABLE: {gone.id, failed.id},
        Fault.UNBOUNDED: {endless.id},
    } == {fault: set(ids) for fault, ids in found.items()}
