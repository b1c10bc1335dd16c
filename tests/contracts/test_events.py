"""The contract of Events: subscribers get the id of every changed image, or a gap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import pytest
import pytest_asyncio

from domain.entities.images import ImageChanges, ImageStatus
from domain.errors import Overloaded
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.engine import open_engine
from infra.postgres.events import PostgresEvents
from tests.contracts.conftest import MODEL
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.events import MemoryEvents
from tests.fakes.images import image_with
from tests.fakes.trash import MemoryTrash
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from uuid import UUID

    from domain.ports import Events, Trash
    from tests.postgres_library import ImageLibrary

T = TypeVar("T")
EAST = (1.0, 0.0, 0.0)
MAX_SUBSCRIBERS = 2


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def library_and_events(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[ImageLibrary, Events]]:
    """An empty library, and its events over another connection pool."""
    if request.param == "memory":
        catalog = MemoryCatalog(MODEL)
        catalog.events = MemoryEvents(most=MAX_SUBSCRIBERS)
        yield catalog, catalog.events
        return
    url = request.getfixturevalue("postgres_url")
    async with (
        open_engine(url) as engine,
        open_engine(url) as other,
        PostgresEvents.open(other, max_subscribers=MAX_SUBSCRIBERS) as events,
    ):
        yield await PostgresLibrary.open(engine, MODEL), events


def trash_of(library: ImageLibrary) -> Trash:
    if isinstance(library, MemoryCatalog):
        return MemoryTrash(library)
    assert isinstance(library, PostgresLibrary)
    return PostgresTrash(library.engine)


async def within_a_minute(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, 60)


async def expect_exactly(changes: AsyncIterator[object], *ids: UUID) -> None:
    """Read changes until all of these ids were among them, and assert that no other was."""
    missing = set(ids)
    while missing:
        received = await within_a_minute(anext(changes))
        assert isinstance(received, tuple)
        assert set(received) <= missing
        missing -= set(received)


async def test_subscribers_get_the_ids_of_images_that_are_added_deleted_and_restored(
    library_and_events: tuple[ImageLibrary, Events],
) -> None:
    library, events = library_and_events
    ready, pending = image_with(), image_with(status=ImageStatus.PROCESSING)
    async with events.images() as changes:
        await library.add(ready, EAST)
        await expect_exactly(changes, ready.id)
        await library.add_pending(pending)
        await expect_exactly(changes, pending.id)
        await library.update(ready.id, ImageChanges(alt_text="no change of status"))
        await library.tag([ready.id], add=["no change of status"])
        trash = trash_of(library)
        await trash.add([ready.id], datetime.now(UTC))
        await expect_exactly(changes, ready.id)
        await trash.restore([ready.id])
        await expect_exactly(changes, ready.id)
        await library.delete([ready.id, pending.id])
        await expect_exactly(changes, ready.id, pending.id)


async def test_a_subscriber_gets_no_change_from_before_its_subscription(
    library_and_events: tuple[ImageLibrary, Events],
) -> None:
    library, events = library_and_events
    first, second, third = image_with(), image_with(), image_with()
    await library.add(first, EAST)
    async with events.images() as earlier_changes:
        await library.add(second, EAST)
        # Notifications of a database arrive in order, a moment after the commit.
        while second.id not in (await within_a_minute(anext(earlier_changes)) or ()):
            pass
        async with events.images() as changes:
            await library.add(third, EAST)
            await expect_exactly(changes, third.id)


async def test_changes_of_many_images_at_once_are_all_received(
    library_and_events: tuple[ImageLibrary, Events],
) -> None:
    library, events = library_and_events
    images = [image_with() for _ in range(450)]
    async with events.images() as changes:
        for image in images:
            await library.add(image, EAST)
        await library.delete([image.id for image in images])
        received: set[UUID] = set()
        while len(received) < len(images):
            ids = await within_a_minute(anext(changes))
            assert ids is not None
            received.update(ids)
        assert {image.id for image in images} == received


async def test_a_cancelled_step_loses_no_change(
    library_and_events: tuple[ImageLibrary, Events],
) -> None:
    library, events = library_and_events
    image = image_with()
    async with events.images() as changes:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.01)
        await library.add(image, EAST)
        await expect_exactly(changes, image.id)


async def test_subscribers_past_the_limit_are_refused_until_one_leaves(
    library_and_events: tuple[ImageLibrary, Events],
) -> None:
    _, events = library_and_events
    async with events.images():
        async with events.images():
            with pytest.raises(Overloaded):
                await subscribe_and_leave(events)
        await subscribe_and_leave(events)


async def subscribe_and_leave(events: Events) -> None:
    async with events.images():
        pass
