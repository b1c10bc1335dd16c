"""What events promise: whoever listens hears of every image, or that something was missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
import pytest_asyncio

from domain.entities.images import ImageChanges, ImageStatus
from domain.errors import Overloaded
from infra.postgres.engine import open_engine
from infra.postgres.events import PostgresEvents
from tests.contracts.conftest import MODEL
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.events import MemoryEvents
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from domain.ports import Events
    from tests.postgres_library import ImageLibrary

T = TypeVar("T")
EAST = (1.0, 0.0, 0.0)
MOST = 2


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def library(request: pytest.FixtureRequest) -> AsyncIterator[tuple[ImageLibrary, Events]]:
    """A catalog, and what listens to it from another process."""
    if request.param == "memory":
        catalog = MemoryCatalog(MODEL)
        catalog.events = MemoryEvents(most=MOST)
        yield catalog, catalog.events
        return
    url = request.getfixturevalue("postgres_url")
    async with (
        open_engine(url) as engine,
        open_engine(url) as other,
        PostgresEvents.open(other, most=MOST) as events,
    ):
        yield await PostgresLibrary.open(engine, MODEL), events


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, 60)


async def hear(changes: AsyncIterator[object], *ids: UUID) -> None:
    """Wait until all these were heard of, and nothing else."""
    missing = set(ids)
    while missing:
        heard = await soon(anext(changes))
        assert isinstance(heard, tuple)
        assert set(heard) <= missing
        missing -= set(heard)


async def test_images_are_heard_of_when_they_come_and_go(
    library: tuple[ImageLibrary, Events],
) -> None:
    catalog, events = library
    ready, expected = image_with(), image_with(status=ImageStatus.PROCESSING)
    async with events.images() as changes:
        await catalog.add(ready, EAST)
        await hear(changes, ready.id)
        await catalog.add_pending(expected)
        await hear(changes, expected.id)
        await catalog.update(ready.id, ImageChanges(alt_text="says nothing"))
        await catalog.tag([ready.id], add=["nor this"])
        await catalog.delete([ready.id, expected.id])
        await hear(changes, ready.id, expected.id)


async def test_what_was_heard_before_is_no_news(library: tuple[ImageLibrary, Events]) -> None:
    catalog, events = library
    before, meanwhile, after = image_with(), image_with(), image_with()
    await catalog.add(before, EAST)
    async with events.images() as earlier:
        await catalog.add(meanwhile, EAST)
        # From a database, news come a moment after what they tell of, in its order.
        while meanwhile.id not in (await soon(anext(earlier)) or ()):
            pass
        async with events.images() as changes:
            await catalog.add(after, EAST)
            await hear(changes, after.id)


async def test_many_at_once_are_all_heard_of(library: tuple[ImageLibrary, Events]) -> None:
    catalog, events = library
    images = [image_with() for _ in range(450)]
    async with events.images() as changes:
        for image in images:
            await catalog.add(image, EAST)
        await catalog.delete([image.id for image in images])
        heard: set[UUID] = set()
        while len(heard) < len(images):
            news = await soon(anext(changes))
            assert news is not None
            heard.update(news)
        assert {image.id for image in images} == heard


async def test_waiting_can_be_given_up_and_taken_up_again(
    library: tuple[ImageLibrary, Events],
) -> None:
    catalog, events = library
    image = image_with()
    async with events.images() as changes:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.01)
        await catalog.add(image, EAST)
        await hear(changes, image.id)


async def test_too_many_are_refused_until_one_leaves(library: tuple[ImageLibrary, Events]) -> None:
    _, events = library
    async with events.images():
        async with events.images():
            with pytest.raises(Overloaded):
                await enter(events.images)
        await enter(events.images)


async def enter(images: Callable[[], object]) -> None:
    async with images():  # type: ignore[attr-defined]
        pass
