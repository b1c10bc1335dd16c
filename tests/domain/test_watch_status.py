"""Watching images until the work on them is done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import Retry
from domain.entities.images import ImageStatus, uuid7
from domain.errors import ImageNotFound, InvalidArgument
from domain.use_cases.library.watch_status import WatchStatus
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from domain.entities.images import Image

PROCESSING, READY, FAILED = ImageStatus.PROCESSING, ImageStatus.READY, ImageStatus.FAILED


class FlakyCatalog(MemoryCatalog):
    """A catalog that fails so many times, and lets a test step in after a look."""

    failures = 0
    after_look: Image | None = None

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError
        here = await super().get(ids)
        if change := self.after_look:
            self.after_look = None
            self.put(change)
        return here


@pytest.fixture
def catalog() -> FlakyCatalog:
    return FlakyCatalog()


@pytest.fixture
def watch(catalog: FlakyCatalog) -> WatchStatus:
    return WatchStatus(catalog, catalog.events, Retry((0.0, 0.0)))


@pytest.fixture
async def images(catalog: FlakyCatalog) -> list[Image]:
    """One that is READY and two that are not."""
    images = [image_with(status=status) for status in (READY, PROCESSING, PROCESSING)]
    for image in images:
        await catalog.add_pending(image)
    return images


async def soon(images: AsyncIterator[Image]) -> Image:
    return await asyncio.wait_for(anext(images), 60)


async def take(watched: AsyncIterator[Image], count: int) -> list[Image]:
    return [await soon(watched) for _ in range(count)]


async def rest(watched: AsyncIterator[Image]) -> list[Image]:
    async with asyncio.timeout(60):
        return [image async for image in watched]


def become(catalog: FlakyCatalog, image: Image, status: ImageStatus) -> Image:
    changed = replace(image, status=status)
    catalog.put(changed)
    return changed


async def test_each_image_comes_as_it_is_and_then_as_it_changes_until_all_are_done(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([image.id for image in reversed(images)]) as watched:
        assert [*reversed(images)] == await take(watched, 3)
        ready = become(catalog, images[1], READY)
        assert ready == await soon(watched)
        failed = become(catalog, images[2], FAILED)
        assert [failed] == await rest(watched)
    assert not catalog.events.listeners


async def test_images_that_are_done_come_once_and_that_is_all(
    catalog: FlakyCatalog, watch: WatchStatus
) -> None:
    done = [image_with(), image_with(status=FAILED)]
    for image in done:
        await catalog.add(image, ())
    async with watch([image.id for image in done * 2]) as watched:
        assert done == await rest(watched)


async def test_a_change_right_behind_the_first_look_is_not_missed(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    ready = catalog.after_look = replace(images[1], status=READY)
    async with watch([images[1].id]) as watched:
        assert [images[1], ready] == await rest(watched)


async def test_the_same_status_does_not_come_twice(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        catalog.events.tell(images[1].id, images[2].id)
        catalog.events.lose()
        await catalog.tag([images[1].id], add=["new"])
        ready = become(catalog, images[2], READY)
        assert ready == await soon(watched)
        become(catalog, images[1], FAILED)
        assert 1 == len(await rest(watched))


async def test_what_was_missed_is_looked_up(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        catalog._images[images[1].id] = ready = replace(images[1], status=READY)  # noqa: SLF001 - in silence
        catalog.events.lose()
        assert [ready] == await rest(watched)


async def test_an_image_that_is_tried_again_is_watched_on(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        for status in (FAILED, PROCESSING, READY):
            assert become(catalog, images[1], status) == await soon(watched)
        become(catalog, images[2], READY)
        assert 1 == len(await rest(watched))


async def test_images_that_go_are_waited_for_no_longer(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        await catalog.delete([images[1].id])
        ready = become(catalog, images[2], READY)
        assert [ready] == await rest(watched)


async def test_an_outage_is_waited_for(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        ready = become(catalog, images[1], READY)
        catalog.failures = 2
        assert [ready] == await rest(watched)


async def test_what_fails_every_time_is_raised(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        become(catalog, images[1], READY)
        catalog.failures = 3
        with pytest.raises(ConnectionResetError):
            await rest(watched)
    assert not catalog.events.listeners


async def test_it_ends_when_there_is_nobody_to_listen_to(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        for listener in catalog.events.listeners:
            listener.close()
        assert [] == await rest(watched)


async def test_ids_that_are_not_here_are_named(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    unknown = [uuid7() for _ in range(5)]
    with pytest.raises(ImageNotFound, match=f"{unknown[0]}, .* and 2 more") as refusal:
        async with watch([images[0].id, *unknown]):
            pass
    assert ("image_ids",) == refusal.value.location
    assert not catalog.events.listeners


async def test_at_most_a_hundred_are_watched(watch: WatchStatus) -> None:
    with pytest.raises(InvalidArgument, match="101 images"):
        async with watch([uuid7() for _ in range(101)]):
            pass


async def test_nothing_is_watched_in_no_time(watch: WatchStatus) -> None:
    async with watch([]) as watched:
        assert [] == await rest(watched)
