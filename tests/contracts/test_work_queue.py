"""Work: leased to one at a time, finished once, given up with a reason."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageChanges
from domain.entities.work import ATTEMPTS, WorkCounts
from tests.contracts.desks import (
    EAST,
    FAILED,
    PROCESSING,
    READY,
    Desk,
    desk_over,
    found,
    made,
    processing,
)
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from tests.postgres_library import ImageLibrary

MINUTE = 60.0
AT_ONCE = 0.0


@pytest.fixture
def desk(catalog: ImageLibrary) -> Desk:
    return desk_over(catalog)


async def the(desk: Desk, image: Image) -> Image:
    return (await desk.catalog.get([image.id]))[image.id]


async def test_an_image_that_is_expected_is_processing_and_there_is_work_on_it(desk: Desk) -> None:
    image = processing(tags=("a",))
    assert image == await desk.catalog.add_pending(image)
    assert image == await the(desk, image)
    assert {} == await desk.catalog.embeddings([image.id])
    assert WorkCounts(1, 0, 0) == await desk.work.counts()
    [task] = await desk.work.lease(10, seconds=MINUTE)
    assert (image, 1) == (task.subject, task.attempts)
    assert WorkCounts(0, 1, 0) == await desk.work.counts()


async def test_the_same_bytes_are_expected_once(desk: Desk) -> None:
    image = processing()
    other = image_with(status=PROCESSING, sha256=image.sha256)
    kept = [await desk.catalog.add_pending(each) for each in (image, other)]
    assert [image.id] * 2 == [each.id for each in kept]
    assert 1 == len(await desk.work.lease(10, seconds=MINUTE))


async def test_an_image_that_is_processed_is_ready_and_what_users_said_meanwhile_stays(
    desk: Desk,
) -> None:
    image = processing(tags=("a",), filename="mine.jpg")
    await desk.catalog.add_pending(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.catalog.tag([image.id], add=["b"])
    await desk.catalog.update(image.id, ImageChanges(alt_text="words", rating=4))
    assert [] == await desk.work.finish([made(task)])
    kept = await the(desk, image)
    assert (READY, 640, "mine.jpg") == (kept.status, kept.width, kept.filename)
    assert (("a", "b"), "words", 4) == (kept.tags, kept.alt_text, kept.rating)
    assert [EAST] == [tuple(each) for each in (await desk.catalog.embeddings([image.id])).values()]
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_a_ready_image_gets_what_it_lacks(desk: Desk) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    await desk.add(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert [] == await desk.work.finish([made(task)])
    assert image == await the(desk, image)
    assert [] == await desk.work.lease(1, seconds=MINUTE)


async def test_an_object_becomes_an_image_of_its_id(desk: Desk) -> None:
    thing = found(tags=("a",))
    await desk.add(thing)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert thing == task.subject
    done = made(task)
    assert [] == await desk.work.finish([done])
    assert done.image == await the(desk, done.image)
    assert thing.id == await desk.became(thing)


async def test_objects_of_the_same_bytes_are_one_image_with_the_tags_of_all(desk: Desk) -> None:
    things = [found(f"{name}.jpg", tags=(name,)) for name in "abc"]
    for thing in things:
        await desk.add(thing)
    tasks = await desk.work.lease(10, seconds=MINUTE)
    lost = await desk.work.finish([made(task, sha256="f" * 64) for task in tasks])
    [kept] = {await desk.became(thing) for thing in things}
    assert {thing.id for thing in things} - {kept} == set(lost)
    assert ("a", "b", "c") == (await desk.catalog.find_by_digest(["f" * 64]))["f" * 64].tags


async def test_an_object_that_is_gone_becomes_nothing(desk: Desk) -> None:
    thing = found()
    await desk.add(thing)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.forget(thing)
    assert [thing.id] == await desk.work.finish([made(task)])
    assert {} == await desk.catalog.get([thing.id])


async def test_an_image_that_was_deleted_meanwhile_stays_deleted(desk: Desk) -> None:
    image = processing()
    await desk.catalog.add_pending(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.catalog.delete([image.id])
    assert [image.id] == await desk.work.finish([made(task)])
    assert {} == await desk.catalog.get([image.id])


async def test_work_on_what_was_deleted_is_forgotten(desk: Desk) -> None:
    image = processing()
    await desk.catalog.add_pending(image)
    await desk.catalog.delete([image.id])
    assert [] == await desk.work.lease(10, seconds=MINUTE)
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_new_pictures_are_leased_before_objects_that_waited_longer(desk: Desk) -> None:
    await desk.add(found())
    image = processing()
    await desk.catalog.add_pending(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert image == task.subject


async def test_what_is_leased_is_nobody_elses_until_the_lease_runs_out(desk: Desk) -> None:
    await desk.add(found())
    [first] = await desk.work.lease(10, seconds=AT_ONCE)
    [second] = await desk.work.lease(10, seconds=MINUTE)
    assert [] == await desk.work.lease(10, seconds=MINUTE)
    assert (1, 2) == (first.attempts, second.attempts)
    # The first comes late: what it made is not kept, and what the second will make is not lost.
    assert [] == await desk.work.finish([made(first, filename="late.jpg")])
    assert [] == await desk.work.finish([made(second, filename="in time.jpg")])
    [kept] = (await desk.catalog.get([first.image_id])).values()
    assert "in time.jpg" == kept.filename


async def test_a_lease_that_is_extended_does_not_run_out(desk: Desk) -> None:
    await desk.add(found())
    tasks = await desk.work.lease(10, seconds=AT_ONCE)
    await desk.work.extend(tasks, seconds=MINUTE)
    assert [] == await desk.work.lease(10, seconds=MINUTE)


async def test_many_workers_share_the_work_and_nobody_does_anything_twice(desk: Desk) -> None:
    things = [found(f"{number}.jpg") for number in range(60)]
    for thing in things:
        await desk.add(thing)

    async def worker() -> list[UUID]:
        taken: list[UUID] = []
        while tasks := await desk.work.lease(7, seconds=MINUTE):
            taken += [task.image_id for task in tasks]
            await desk.work.finish([made(task) for task in tasks])
        return taken

    shares = await asyncio.gather(*(worker() for _ in range(5)))
    assert sorted(thing.id for thing in things) == sorted(chain.from_iterable(shares))
    assert 60 == len(await desk.catalog.get([thing.id for thing in things]))


async def test_what_is_released_waits_for_its_time_and_keeps_the_last_error(desk: Desk) -> None:
    await desk.add(found())
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.work.release([task], "The store is away.", seconds=MINUTE)
    assert [] == await desk.work.lease(1, seconds=MINUTE)
    assert WorkCounts(1, 0, 0) == await desk.work.counts()


async def test_what_is_taken_up_again_and_again_is_set_aside_with_its_last_error(
    desk: Desk,
) -> None:
    image = processing()
    await desk.catalog.add_pending(image)
    for _ in range(ATTEMPTS):
        [task] = await desk.work.lease(1, seconds=MINUTE)
        await desk.work.release([task], "The store is away.", seconds=AT_ONCE)
    assert [] == await desk.work.lease(1, seconds=MINUTE)
    kept = await the(desk, image)
    assert (FAILED, "The store is away.") == (kept.status, kept.failure_reason)
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_what_kills_its_workers_is_set_aside(desk: Desk) -> None:
    image = processing()
    await desk.catalog.add_pending(image)
    for _ in range(ATTEMPTS):
        assert 1 == len(await desk.work.lease(1, seconds=AT_ONCE))
    assert [] == await desk.work.lease(1, seconds=AT_ONCE)
    kept = await the(desk, image)
    assert FAILED is kept.status
    assert kept.failure_reason
    assert "again and again" in kept.failure_reason


async def test_an_object_that_is_no_picture_keeps_the_reason(desk: Desk) -> None:
    thing = found()
    await desk.add(thing)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.work.fail(task, "This file is no picture.")
    assert "This file is no picture." == await desk.became(thing)
    assert WorkCounts(0, 0, 0) == await desk.work.counts()


async def test_a_ready_image_stays_ready_when_what_it_lacks_cannot_be_made(desk: Desk) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    await desk.add(image)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.work.fail(task, "Its bytes are gone.")
    assert image == await the(desk, image)
    assert WorkCounts(0, 0, 1) == await desk.work.counts()
    assert [] == await desk.work.lease(1, seconds=MINUTE)


async def test_who_lost_the_lease_sets_nothing_aside(desk: Desk) -> None:
    await desk.add(found())
    [first] = await desk.work.lease(10, seconds=AT_ONCE)
    [second] = await desk.work.lease(10, seconds=MINUTE)
    await desk.work.fail(first, "Too slow.")
    await desk.work.release([first], "Too slow.", seconds=AT_ONCE)
    assert [] == await desk.work.lease(10, seconds=MINUTE)
    assert [] == await desk.work.finish([made(second)])
    assert 1 == len(await desk.catalog.get([second.image_id]))


async def test_the_bytes_of_an_image_that_has_failed_get_another_chance_as_an_object(
    desk: Desk,
) -> None:
    image = await desk.catalog.add_pending(processing(sha256="f" * 64))
    [task] = await desk.work.lease(1, seconds=MINUTE)
    await desk.work.fail(task, "No.")
    thing = found()
    await desk.add(thing)
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert [image.id] == await desk.work.finish([made(task, sha256="f" * 64)])
    assert [thing.id] == list(await desk.catalog.get([image.id, thing.id]))
    assert thing.id == await desk.became(thing)
    assert [thing.id] == list(await desk.catalog.embeddings([thing.id]))


async def test_what_is_given_back_is_anybodys_as_if_nobody_had_taken_it(desk: Desk) -> None:
    await desk.add(found())
    first = await desk.work.lease(1, seconds=MINUTE)
    await desk.work.abandon(first)
    [again] = await desk.work.lease(1, seconds=MINUTE)
    assert 1 == again.attempts
    await desk.work.abandon(first)
    assert [] == await desk.work.lease(1, seconds=MINUTE)
