"""The contract of WorkQueue: leases, results, retries and dead letters."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Description, ImageChanges
from domain.entities.work import MAX_ATTEMPTS, WorkCounts
from tests.contracts.work_fixtures import (
    EAST,
    FAILED,
    PROCESSING,
    READY,
    WorkFixture,
    found_object,
    indexed,
    pending_image,
    work_fixture_over,
)
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from tests.postgres_library import ImageLibrary

MINUTE_SECONDS = 60.0
ZERO_SECONDS = 0.0


@pytest.fixture
def fixture(catalog: ImageLibrary) -> WorkFixture:
    return work_fixture_over(catalog)


async def stored_image(fixture: WorkFixture, image: Image) -> Image:
    return (await fixture.catalog.get([image.id]))[image.id]


async def test_a_pending_image_has_a_task_and_no_embedding(fixture: WorkFixture) -> None:
    image = pending_image(tags=("a",))
    assert image == await fixture.catalog.add_pending(image)
    assert image == await stored_image(fixture, image)
    assert {} == await fixture.catalog.embeddings([image.id])
    assert WorkCounts(1, 0, 0) == await fixture.queue.counts()
    [task] = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert (image, 1) == (task.subject, task.attempts)
    assert WorkCounts(0, 1, 0) == await fixture.queue.counts()


async def test_pending_images_of_the_same_bytes_have_one_task(fixture: WorkFixture) -> None:
    image = pending_image()
    other = image_with(status=PROCESSING, sha256=image.sha256)
    stored = [await fixture.catalog.add_pending(each) for each in (image, other)]
    assert [image.id] * 2 == [each.id for each in stored]
    assert 1 == len(await fixture.queue.lease(10, seconds=MINUTE_SECONDS))


async def test_a_finished_image_is_ready_and_keeps_concurrent_changes_of_users(
    fixture: WorkFixture,
) -> None:
    image = pending_image(tags=("a",), filename="mine.jpg")
    await fixture.catalog.add_pending(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.catalog.tag([image.id], add=["b"])
    await fixture.catalog.update(image.id, ImageChanges(alt_text="a boat", rating=4))
    assert [] == await fixture.queue.finish([indexed(task)])
    stored = await stored_image(fixture, image)
    assert (READY, 640, "mine.jpg") == (stored.status, stored.width, stored.filename)
    assert (("a", "b"), "a boat", 4) == (stored.tags, stored.alt_text, stored.rating)
    assert [EAST] == [
        tuple(each) for each in (await fixture.catalog.embeddings([image.id])).values()
    ]
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_a_task_on_a_ready_image_changes_no_facts(fixture: WorkFixture) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    await fixture.add(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.finish([indexed(task)])
    assert image == await stored_image(fixture, image)
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)


async def test_a_finished_object_becomes_an_image_with_its_id(fixture: WorkFixture) -> None:
    external_object = found_object(tags=("a",))
    await fixture.add(external_object)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert external_object == task.subject
    done = indexed(task)
    assert [] == await fixture.queue.finish([done])
    assert done.image == await stored_image(fixture, done.image)
    assert external_object.id == await fixture.became(external_object)


async def test_objects_of_the_same_bytes_are_one_image_with_the_tags_of_all(
    fixture: WorkFixture,
) -> None:
    objects = [found_object(f"{name}.jpg", tags=(name,)) for name in "abc"]
    for external_object in objects:
        await fixture.add(external_object)
    tasks = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    without_image = await fixture.queue.finish([indexed(task, sha256="f" * 64) for task in tasks])
    [stored] = {await fixture.became(external_object) for external_object in objects}
    assert {external_object.id for external_object in objects} - {stored} == set(without_image)
    assert ("a", "b", "c") == (await fixture.catalog.find_by_digest(["f" * 64]))["f" * 64].tags


async def test_the_result_of_a_deleted_object_is_not_stored(fixture: WorkFixture) -> None:
    external_object = found_object()
    await fixture.add(external_object)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.delete_object(external_object)
    assert [external_object.id] == await fixture.queue.finish([indexed(task)])
    assert {} == await fixture.catalog.get([external_object.id])


async def test_the_result_of_a_deleted_image_is_not_stored(fixture: WorkFixture) -> None:
    image = pending_image()
    await fixture.catalog.add_pending(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.catalog.delete([image.id])
    assert [image.id] == await fixture.queue.finish([indexed(task)])
    assert {} == await fixture.catalog.get([image.id])


@pytest.mark.parametrize("is_leased", [False, True])
async def test_deleting_an_image_deletes_its_task(fixture: WorkFixture, *, is_leased: bool) -> None:
    image = pending_image()
    await fixture.catalog.add_pending(image)
    if is_leased:
        assert 1 == len(await fixture.queue.lease(10, seconds=MINUTE_SECONDS))
    assert {image.id} == await fixture.catalog.delete([image.id])
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)


async def test_a_task_without_a_subject_is_deleted_when_it_is_due(fixture: WorkFixture) -> None:
    external_object = found_object()
    await fixture.add(external_object)
    await fixture.delete_object(external_object)
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_a_task_that_fails_because_its_object_was_deleted_is_no_dead_letter(
    fixture: WorkFixture,
) -> None:
    external_object = found_object()
    await fixture.add(external_object)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.delete_object(external_object)
    await fixture.queue.fail(task, "The file is missing.")
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_an_upload_makes_an_image_ready_that_waits_for_a_worker(
    fixture: WorkFixture,
) -> None:
    image = pending_image(tags=("a",), filename="mine.jpg")
    await fixture.catalog.add_pending(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.catalog.tag([image.id], add=["b"])
    done = indexed(task)
    await fixture.catalog.make_ready(done.image, done.embedding)
    stored = await stored_image(fixture, image)
    assert (READY, 640, "mine.jpg") == (stored.status, stored.width, stored.filename)
    assert ("a", "b") == stored.tags
    assert [image.id] == list(await fixture.catalog.embeddings([image.id]))
    # The worker comes too late, and its task ends.
    assert [] == await fixture.queue.finish([done])
    assert stored == await stored_image(fixture, image)
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


@pytest.mark.parametrize("by_worker", [False, True])
async def test_what_a_file_says_is_added_and_replaces_no_edit(
    fixture: WorkFixture, *, by_worker: bool
) -> None:
    edited, plain = pending_image(tags=("a", "b")), pending_image()
    said = Description("A boat", 4, ("b", "sea"))
    for image in (edited, plain):
        await fixture.catalog.add_pending(image)
    done = [
        replace(each, image=each.image.described(said))
        for each in map(indexed, await fixture.queue.lease(2, seconds=MINUTE_SECONDS))
    ]
    await fixture.catalog.update(edited.id, ImageChanges(alt_text="Mine", rating=1))
    await fixture.catalog.tag([edited.id], remove=["a"])
    if by_worker:
        await fixture.queue.finish(done)
    else:
        for each in done:
            await fixture.catalog.make_ready(each.image, each.embedding)
    stored = await fixture.catalog.get([edited.id, plain.id])
    assert {image.status for image in stored.values()} == {READY}
    assert [
        (each.alt_text, each.rating, each.tags)
        for each in map(stored.get, (edited.id, plain.id))
        if each
    ] == [
        ("Mine", 1, ("b", "sea")),
        ("A boat", 4, ("b", "sea")),
    ]


async def test_only_a_processing_image_is_made_ready(fixture: WorkFixture) -> None:
    ready, gone = await fixture.catalog.add(image_with(), EAST), image_with()
    for image in (replace(ready, width=1), gone):
        await fixture.catalog.make_ready(image, EAST)
    assert {ready.id: ready} == await fixture.catalog.get([ready.id, gone.id])


async def test_pending_images_are_leased_before_older_objects(fixture: WorkFixture) -> None:
    await fixture.add(found_object())
    image = pending_image()
    await fixture.catalog.add_pending(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert image == task.subject


async def test_a_task_has_one_holder_until_its_lease_expires(fixture: WorkFixture) -> None:
    await fixture.add(found_object())
    [first] = await fixture.queue.lease(10, seconds=ZERO_SECONDS)
    [second] = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert (1, 2) == (first.attempts, second.attempts)
    # The first result is of an expired lease: it is not stored, and does not end the second lease.
    assert [] == await fixture.queue.finish([indexed(first, filename="late.jpg")])
    assert [] == await fixture.queue.finish([indexed(second, filename="in time.jpg")])
    [stored] = (await fixture.catalog.get([first.image_id])).values()
    assert "in time.jpg" == stored.filename


async def test_an_extended_lease_does_not_expire(fixture: WorkFixture) -> None:
    await fixture.add(found_object())
    tasks = await fixture.queue.lease(10, seconds=ZERO_SECONDS)
    await fixture.queue.extend(tasks, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)


async def test_concurrent_workers_get_each_task_once(fixture: WorkFixture) -> None:
    objects = [found_object(f"{number}.jpg") for number in range(60)]
    for external_object in objects:
        await fixture.add(external_object)

    async def worker() -> list[UUID]:
        leased: list[UUID] = []
        while tasks := await fixture.queue.lease(7, seconds=MINUTE_SECONDS):
            leased += [task.image_id for task in tasks]
            await fixture.queue.finish([indexed(task) for task in tasks])
        return leased

    shares = await asyncio.gather(*(worker() for _ in range(5)))
    assert sorted(external_object.id for external_object in objects) == sorted(
        chain.from_iterable(shares)
    )
    assert 60 == len(await fixture.catalog.get([external_object.id for external_object in objects]))


async def test_a_released_task_waits_for_its_backoff(fixture: WorkFixture) -> None:
    await fixture.add(found_object())
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.release([task], "The storage is away.", seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert WorkCounts(1, 0, 0) == await fixture.queue.counts()


async def test_a_task_that_reaches_the_maximum_of_attempts_fails_with_its_last_error(
    fixture: WorkFixture,
) -> None:
    image = pending_image()
    await fixture.catalog.add_pending(image)
    for _ in range(MAX_ATTEMPTS):
        [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
        await fixture.queue.release([task], "The storage is away.", seconds=ZERO_SECONDS)
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    stored = await stored_image(fixture, image)
    assert (FAILED, "The storage is away.") == (stored.status, stored.failure_reason)
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_a_task_whose_leases_expire_again_and_again_fails(fixture: WorkFixture) -> None:
    image = pending_image()
    await fixture.catalog.add_pending(image)
    for _ in range(MAX_ATTEMPTS):
        assert 1 == len(await fixture.queue.lease(1, seconds=ZERO_SECONDS))
    assert [] == await fixture.queue.lease(1, seconds=ZERO_SECONDS)
    stored = await stored_image(fixture, image)
    assert FAILED is stored.status
    assert stored.failure_reason
    assert "again and again" in stored.failure_reason


async def test_a_failed_object_has_the_reason(fixture: WorkFixture) -> None:
    external_object = found_object()
    await fixture.add(external_object)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.fail(task, "This file is no picture.")
    assert "This file is no picture." == await fixture.became(external_object)
    assert WorkCounts(0, 0, 0) == await fixture.queue.counts()


async def test_a_failed_task_on_a_ready_image_is_a_dead_letter_and_changes_no_image(
    fixture: WorkFixture,
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    await fixture.add(image)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.fail(task, "The bytes of its original are missing.")
    assert image == await stored_image(fixture, image)
    assert WorkCounts(0, 0, 1) == await fixture.queue.counts()
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)


async def test_the_holder_of_an_expired_lease_cannot_fail_or_release_a_task(
    fixture: WorkFixture,
) -> None:
    await fixture.add(found_object())
    [first] = await fixture.queue.lease(10, seconds=ZERO_SECONDS)
    [second] = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    await fixture.queue.fail(first, "Too slow.")
    await fixture.queue.release([first], "Too slow.", seconds=ZERO_SECONDS)
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.finish([indexed(second)])
    assert 1 == len(await fixture.catalog.get([second.image_id]))


async def test_an_object_replaces_a_failed_image_of_the_same_bytes(
    fixture: WorkFixture,
) -> None:
    image = await fixture.catalog.add_pending(pending_image(sha256="f" * 64))
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.fail(task, "No.")
    external_object = found_object()
    await fixture.add(external_object)
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert [image.id] == await fixture.queue.finish([indexed(task, sha256="f" * 64)])
    assert [external_object.id] == list(await fixture.catalog.get([image.id, external_object.id]))
    assert external_object.id == await fixture.became(external_object)
    assert [external_object.id] == list(await fixture.catalog.embeddings([external_object.id]))


async def test_an_abandoned_task_is_due_at_once_and_does_not_count_as_an_attempt(
    fixture: WorkFixture,
) -> None:
    await fixture.add(found_object())
    first = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await fixture.queue.abandon(first)
    [again] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    assert 1 == again.attempts
    await fixture.queue.abandon(first)
    assert [] == await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
