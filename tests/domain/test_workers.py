"""Workers that are stopped, killed, and meet an outage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

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
    from tests.domain.libraries import Library
    from tests.fakes.clock import SettableClock
    from tests.fakes.imaging import FakeImaging


async def do_all(index: IndexImages) -> int:
    return sum([ended async for ended in index()])


async def test_a_worker_that_is_stopped_gives_its_work_back(
    index: IndexImages, library: Library, imaging: FakeImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await library.expect()
    never, begun = asyncio.Event(), asyncio.Event()

    async def hang(_: bytes) -> None:
        begun.set()
        await never.wait()

    with monkeypatch.context() as patched:
        patched.setattr(imaging, "decode", hang)
        doing = asyncio.create_task(do_all(index))
        await begun.wait()
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
    assert 0 == library.work.entries[image.id].attempts
    assert 1 == await do_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_a_worker_that_was_killed_leaves_its_work_to_others_in_time(
    index: IndexImages, library: Library, clock: SettableClock
) -> None:
    image = await library.expect()
    assert 1 == len(await library.work.lease(1, seconds=index.lease_seconds))
    assert 0 == await do_all(index)
    clock.pass_time(timedelta(minutes=3))
    assert 1 == await do_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_a_worker_that_cannot_give_its_work_back_stops_all_the_same(
    index: IndexImages, library: Library, imaging: FakeImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.expect()
    begun = asyncio.Event()

    async def hang(_: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def away(_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(imaging, "decode", hang)
    monkeypatch.setattr(library.work, "abandon", away)
    doing = asyncio.create_task(do_all(index))
    await begun.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing


async def test_a_worker_goes_on_after_an_outage_and_takes_what_comes_later(
    index: IndexImages, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, broken = library.work.lease, True

    async def flaky(limit: int, *, seconds: float) -> Sequence[Task]:
        if broken:
            raise ConnectionError
        return await lease(limit, seconds=seconds)

    monkeypatch.setattr(library.work, "lease", flaky)
    done = asyncio.Event()
    working = asyncio.create_task(
        keep_indexing(index, on_ended=lambda _: done.set(), wait=lambda: asyncio.sleep(0))
    )
    await asyncio.sleep(0.01)
    broken = False
    image = await library.expect()
    async with asyncio.timeout(30):
        await done.wait()
    working.cancel()
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_leases_are_kept_while_the_work_goes_on(
    index: IndexImages, library: Library, imaging: FakeImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.expect()
    extended = asyncio.Event()
    extend, decode = library.work.extend, imaging.decode

    async def noting(tasks: Sequence[Task], *, seconds: float) -> None:
        await extend(tasks, seconds=seconds)
        if tasks:
            extended.set()

    async def slow(data: bytes) -> object:
        await extended.wait()
        return await decode(data)

    monkeypatch.setattr(library.work, "extend", noting)
    monkeypatch.setattr(imaging, "decode", slow)
    async with asyncio.timeout(30):
        assert 1 == await do_all(replace(index, lease_seconds=0.03))


async def test_what_cannot_be_kept_holds_up_nothing_that_was_done_beside_it(
    index: IndexImages, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [await library.expect(picture_file(words=str(number))) for number in range(4)]
    poison, finish = images[2].id, library.work.finish

    async def choking(done: Sequence[IndexedImage]) -> Sequence[UUID]:
        if poison in {each.task.image_id for each in done}:
            raise ValueError("no text has this character")
        return await finish(done)

    monkeypatch.setattr(library.work, "finish", choking)
    assert 3 == await do_all(index)
    states = {image.id: (await library.image(image.id)).status for image in images}
    assert [poison] == [id_ for id_, state in states.items() if state is ImageStatus.PROCESSING]
    assert WorkCounts(1, 0, 0) == await library.work.counts()
