"""Workers that are stopped or killed, and outages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.entities.images import ImageStatus
from domain.entities.work import WorkCounts
from domain.runtime.worker import keep_indexing
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.work import IndexedImage, Task
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks
    from tests.fakes.clock import SettableClock
    from tests.fakes.imaging import FakeImaging


async def index_all(index: IndexImages) -> int:
    return sum([ended async for ended in index()])


async def test_a_stopped_worker_returns_its_tasks_to_the_queue(
    index: IndexImages,
    library: LibraryWithTasks,
    imaging: FakeImaging,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = await library.add_pending()
    never, begun = asyncio.Event(), asyncio.Event()

    async def hang(_: bytes, **__: object) -> None:
        begun.set()
        await never.wait()

    with monkeypatch.context() as patched:
        patched.setattr(imaging, "decode", hang)
        indexing = asyncio.create_task(index_all(index))
        await begun.wait()
        indexing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await indexing
    assert 0 == library.work_queue.entries[image.id].attempts
    assert 1 == await index_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_the_tasks_of_a_killed_worker_are_leased_again_after_the_lease_expires(
    index: IndexImages, library: LibraryWithTasks, clock: SettableClock
) -> None:
    image = await library.add_pending()
    assert 1 == len(await library.work_queue.lease(1, seconds=index.lease_seconds))
    assert 0 == await index_all(index)
    clock.pass_time(timedelta(minutes=3))
    assert 1 == await index_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_a_worker_that_cannot_return_its_tasks_stops_nevertheless(
    index: IndexImages,
    library: LibraryWithTasks,
    imaging: FakeImaging,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await library.add_pending()
    begun = asyncio.Event()

    async def hang(_: bytes, **__: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def fail(_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(imaging, "decode", hang)
    monkeypatch.setattr(library.work_queue, "abandon", fail)
    indexing = asyncio.create_task(index_all(index))
    await begun.wait()
    indexing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await indexing


async def test_a_worker_continues_after_an_outage(
    index: IndexImages, library: LibraryWithTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, broken = library.work_queue.lease, True

    async def flaky(limit: int, *, seconds: float) -> Sequence[Task]:
        if broken:
            raise ConnectionError
        return await lease(limit, seconds=seconds)

    monkeypatch.setattr(library.work_queue, "lease", flaky)
    done = asyncio.Event()
    working = asyncio.create_task(
        keep_indexing(index, on_ended=lambda _: done.set(), wait=lambda: asyncio.sleep(0))
    )
    await asyncio.sleep(0.01)
    broken = False
    image = await library.add_pending()
    async with asyncio.timeout(30):
        await done.wait()
    working.cancel()
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_leases_are_extended_while_a_task_is_processed(
    index: IndexImages,
    library: LibraryWithTasks,
    imaging: FakeImaging,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await library.add_pending()
    extended = asyncio.Event()
    extend, decode = library.work_queue.extend, imaging.decode

    async def extend_and_record(tasks: Sequence[Task], *, seconds: float) -> None:
        await extend(tasks, seconds=seconds)
        if tasks:
            extended.set()

    async def slow(data: bytes, **options: Any) -> object:  # noqa: ANN401 - passed through
        await extended.wait()
        return await decode(data, **options)

    monkeypatch.setattr(library.work_queue, "extend", extend_and_record)
    monkeypatch.setattr(imaging, "decode", slow)
    async with asyncio.timeout(30):
        assert 1 == await index_all(replace(index, lease_seconds=0.03))


async def test_a_result_that_cannot_be_stored_does_not_block_the_rest_of_its_batch(
    index: IndexImages, library: LibraryWithTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [await library.add_pending(picture_file(words=str(number))) for number in range(4)]
    poison, finish = images[2].id, library.work_queue.finish

    async def finish_or_fail(done: Sequence[IndexedImage]) -> Sequence[UUID]:
        if poison in {each.task.image_id for each in done}:
            raise ValueError("no text has this character")
        return await finish(done)

    monkeypatch.setattr(library.work_queue, "finish", finish_or_fail)
    assert 3 == await index_all(index)
    states = {image.id: (await library.image(image.id)).status for image in images}
    assert [poison] == [id_ for id_, state in states.items() if state is ImageStatus.PROCESSING]
    assert WorkCounts(1, 0, 0) == await library.work_queue.counts()
