"""The contract of Scrubs: what was not read for longest is due first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.faults import DueOriginal, Fault
from domain.entities.images import ImageStatus, uuid7
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.scrubs import PostgresScrubs
from tests.contracts.work_fixtures import move_in_as_missing
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import NOON, image_with
from tests.fakes.scrubs import MemoryScrubs
from tests.fakes.trash import MemoryTrash
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from domain.ports import Scrubs, Trash
    from tests.postgres_library import ImageLibrary

EAST = (1.0, 0.0, 0.0)
HOUR = timedelta(hours=1)


@pytest.fixture
def scrubs(catalog: ImageLibrary) -> Scrubs:
    if isinstance(catalog, MemoryCatalog):
        return MemoryScrubs(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresScrubs(catalog.engine)


@pytest.fixture
def trash(catalog: ImageLibrary) -> Trash:
    if isinstance(catalog, MemoryCatalog):
        return MemoryTrash(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresTrash(catalog.engine)


async def test_what_was_not_read_for_longest_is_due_first(
    catalog: ImageLibrary, scrubs: Scrubs, trash: Trash
) -> None:
    old, young, gone = [image_with(created_at=NOON + hours * HOUR) for hours in range(3)]
    failed = image_with(status=ImageStatus.FAILED, created_at=NOON)
    for image in (young, old, gone, failed):
        await catalog.add(image, EAST)
    await trash.add([gone.id], NOON + 3 * HOUR)
    gone = replace(gone, deleted_at=NOON + 3 * HOUR)
    assert [] == await scrubs.due(NOON, limit=9)
    due = [DueOriginal(old, NOON), DueOriginal(young, NOON + HOUR)]
    assert due == await scrubs.due(NOON + 2 * HOUR, limit=9)
    assert due == await scrubs.due(NOON + 9 * HOUR, limit=2)
    await scrubs.record(old.id, NOON + 5 * HOUR, None)
    assert [
        DueOriginal(young, NOON + HOUR),
        DueOriginal(gone, NOON + 2 * HOUR),
        DueOriginal(old, NOON + 5 * HOUR),
    ] == await scrubs.due(NOON + 9 * HOUR, limit=9)


async def test_pages_of_what_is_due_pass_each_image_once(
    catalog: ImageLibrary, scrubs: Scrubs
) -> None:
    # Several were added at the same time: their ids are the tie-break.
    added = [await catalog.add(image_with(created_at=NOON), EAST) for _ in range(5)]
    images = sorted(added, key=lambda image: image.id)
    await scrubs.record(images[0].id, NOON + HOUR, None)
    passed: list[DueOriginal] = []
    while page := await scrubs.due(NOON + 2 * HOUR, after=passed[-1] if passed else None, limit=2):
        passed += page
    assert [*images[1:], images[0]] == [original.image for original in passed]
    assert [] == await scrubs.due(NOON + HOUR, after=passed[-2], limit=2)


async def test_a_fault_is_kept_until_the_original_is_read_without_one(
    catalog: ImageLibrary, scrubs: Scrubs
) -> None:
    image = await catalog.add(image_with(), EAST)
    await scrubs.record(uuid7(), NOON, Fault.DAMAGED)
    assert [] == await scrubs.faulty()
    await scrubs.record(image.id, NOON, Fault.DAMAGED)
    assert [image] == await scrubs.faulty()
    assert {image.id: image} == await catalog.get([image.id])
    await scrubs.record(image.id, NOON, None)
    assert [] == await scrubs.faulty()


async def test_missing_images_are_not_read_until_they_come_back(
    catalog: ImageLibrary, scrubs: Scrubs, trash: Trash
) -> None:
    image = await catalog.add(image_with(), EAST)
    await scrubs.record(image.id, NOON, Fault.NO_SOURCE)
    await move_in_as_missing(catalog, [image.id], NOON)
    assert ([], []) == (await scrubs.due(NOON + HOUR, limit=9), await scrubs.faulty())
    await trash.restore([image.id])
    [due] = await scrubs.due(NOON + HOUR, limit=9)
    assert (image, [image]) == (due.image, await scrubs.faulty())
