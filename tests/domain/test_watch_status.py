"""Watching the status of images."""

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
    """Fails ``failures`` times, and can change an image right after a query."""

    failures = 0
    change_after_get: Image | None = None

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError
        existing = await super().get(ids)
        if change := self.change_after_get:
            self.change_after_get = None
            self.put(change)
        return existing


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


async def next_image(images: AsyncIterator[Image]) -> Image:
    return await asyncio.wait_for(anext(images), 60)


async def take(watched: AsyncIterator[Image], count: int) -> list[Image]:
    return [await next_image(watched) for _ in range(count)]


async def rest(watched: AsyncIterator[Image]) -> list[Image]:
    async with asyncio.timeout(60):
        return [image async for image in watched]


def set_status(catalog: FlakyCatalog, image: Image, status: ImageStatus) -> Image:
    changed = replace(image, status=status)
    catalog.put(changed)
    return changed


async def test_each_image_is_yielded_at_first_and_after_each_change_until_all_are_done(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([image.id for image in reversed(images)]) as watched:
        assert [*reversed(images)] == await take(watched, 3)
        ready = set_status(catalog, images[1], READY)
        assert ready == await next_image(watched)
        failed = set_status(catalog, images[2], FAILED)
        assert [failed] == await rest(watched)
    assert not catalog.events.listeners


async def test_images_that_are_done_are_yielded_once(
    catalog: FlakyCatalog, watch: WatchStatus
) -> None:
    done = [image_with(), image_with(status=FAILED)]
    for image in done:
        await catalog.add(image, ())
    async with watch([image.id for image in done * 2]) as watched:
        assert done == await rest(watched)


async def test_a_change_right_after_the_first_query_is_not_missed(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    ready = catalog.change_after_get = replace(images[1], status=READY)
    async with watch([images[1].id]) as watched:
        assert [images[1], ready] == await rest(watched)


async def test_an_unchanged_status_is_not_yielded_again(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        catalog.events.emit(images[1].id, images[2].id)
        catalog.events.lose_events()
        await catalog.tag([images[1].id], add=["new"])
        ready = set_status(catalog, images[2], READY)
        assert ready == await next_image(watched)
        set_status(catalog, images[1], FAILED)
        assert 1 == len(await rest(watched))


async def test_changes_missed_in_a_gap_are_queried(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        catalog._images[images[1].id] = ready = replace(images[1], status=READY)  # noqa: SLF001 - without an event
        catalog.events.lose_events()
        assert [ready] == await rest(watched)


async def test_an_image_that_is_processed_again_is_watched_further(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        for status in (FAILED, PROCESSING, READY):
            assert set_status(catalog, images[1], status) == await next_image(watched)
        set_status(catalog, images[2], READY)
        assert 1 == len(await rest(watched))


async def test_deleted_images_are_not_waited_for(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id, images[2].id]) as watched:
        await take(watched, 2)
        await catalog.delete([images[1].id])
        ready = set_status(catalog, images[2], READY)
        assert [ready] == await rest(watched)


async def test_a_failed_call_is_retried_until_the_outage_is_over(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        ready = set_status(catalog, images[1], READY)
        catalog.failures = 2
        assert [ready] == await rest(watched)


async def test_a_failure_of_every_retry_is_raised(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        set_status(catalog, images[1], READY)
        catalog.failures = 3
        with pytest.raises(ConnectionResetError):
            await rest(watched)
    assert not catalog.events.listeners


async def test_the_iteration_ends_when_the_subscription_is_closed(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    async with watch([images[1].id]) as watched:
        await take(watched, 1)
        for subscriber in catalog.events.listeners:
            subscriber.close()
        assert [] == await rest(watched)


async def test_missing_ids_are_named(
    catalog: FlakyCatalog, watch: WatchStatus, images: list[Image]
) -> None:
    unknown = [uuid7() for _ in range(5)]
    with pytest.raises(ImageNotFound, match=f"{unknown[0]}, .* and 2 more") as refusal:
        async with watch([images[0].id, *unknown]):
            pass
    assert ("image_ids",) == refusal.value.location
    assert not catalog.events.listeners


async def test_at_most_a_hundred_images_can_be_watched(watch: WatchStatus) -> None:
    with pytest.raises(InvalidArgument, match="101 images"):
        async with watch([uuid7() for _ in range(101)]):
            pass


async def test_watching_no_images_ends_at_once(watch: WatchStatus) -> None:
    async with watch([]) as watched:
        assert [] == await rest(watched)
