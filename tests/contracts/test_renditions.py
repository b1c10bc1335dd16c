"""The contract of Renditions: which imported images have no LARGE yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageStatus, Source, uuid7
from infra.postgres.catalog.renditions import PostgresRenditions
from infra.postgres.catalog.trash import PostgresTrash
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import NOON, image_with
from tests.fakes.renditions import MemoryRenditions
from tests.fakes.trash import MemoryTrash
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Renditions, Trash
    from tests.postgres_library import ImageLibrary

EAST = (1.0, 0.0, 0.0)
SOURCE = Source("file:///photos/boat.png", "1")


@pytest.fixture
def renditions(catalog: ImageLibrary) -> Renditions:
    if isinstance(catalog, MemoryCatalog):
        return MemoryRenditions(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresRenditions(catalog.engine)


@pytest.fixture
def trash(catalog: ImageLibrary) -> Trash:
    if isinstance(catalog, MemoryCatalog):
        return MemoryTrash(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresTrash(catalog.engine)


async def add_imported(catalog: ImageLibrary) -> Image:
    return await catalog.add(image_with(source=SOURCE, lacks_large=True), EAST)


async def test_images_without_large_are_read_in_pages_until_it_is_noted(
    catalog: ImageLibrary, renditions: Renditions
) -> None:
    images = [await add_imported(catalog) for _ in range(3)]
    first, second, third = sorted(images, key=lambda image: image.id)
    assert [first, second] == await renditions.without_large(2)
    assert [third] == await renditions.without_large(2, after=second.id)
    await renditions.note_large(second.id)
    assert [first, third] == await renditions.without_large(9)
    assert not (await catalog.get([second.id]))[second.id].lacks_large
    await renditions.note_large(uuid7())


async def test_images_that_need_no_large_or_cannot_have_it_are_left_out(
    catalog: ImageLibrary, renditions: Renditions, trash: Trash
) -> None:
    await catalog.add(image_with(source=SOURCE), EAST)
    await catalog.add(image_with(lacks_large=True), EAST)
    await catalog.add(image_with(source=SOURCE, lacks_large=True, status=ImageStatus.FAILED), EAST)
    deleted = await add_imported(catalog)
    await trash.add([deleted.id], NOON)
    assert [] == await renditions.without_large(9)
    await trash.restore([deleted.id])
    assert [deleted] == await renditions.without_large(9)
