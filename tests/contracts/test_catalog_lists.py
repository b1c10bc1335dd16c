"""The contract of Catalog.list: keyset pages in every sort, in both directions."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.filters import ImageFilter, SortField
from domain.entities.images import Exif
from domain.entities.listing import Page, Position, Sort, Window, position_of
from tests.fakes.images import NOON, image_with

if TYPE_CHECKING:
    from domain.entities.images import Image
    from tests.postgres_library import ImageLibrary

EVERYTHING = ImageFilter()
SORTS = [Sort(field, descending) for field in SortField for descending in (False, True)]
EMPTY = Page((), has_next=False, has_previous=False)


@pytest.fixture(
    params=SORTS, ids=lambda sort: f"{sort.field}-{'desc' if sort.descending else 'asc'}"
)
def sort(request: pytest.FixtureRequest) -> Sort:
    parameter: Sort = request.param
    return parameter


async def add_tied_images(catalog: ImageLibrary) -> dict[int, Image]:
    """Add images that tie in every sort, by number. Some have no taken time or no rating."""
    hours = (2, 0, None, 1, 1, None, 0)
    names = ("b.jpg", "B.jpg", "ä.jpg", "b.jpg", "a.jpg", "\N{WHALE}.jpg", "\uffee.jpg")
    images = {}
    ratings = (3, None, 1, 3, None, None, 1)
    facts = zip(hours, names, ratings, strict=True)
    for number, (hour, name, rating) in enumerate(facts, start=1):
        images[number] = await catalog.add(
            image_with(
                UUID(int=number),
                filename=name,
                byte_size=number // 3,
                rating=rating,
                created_at=NOON + timedelta(microseconds=number // 2),
                exif=Exif() if hour is None else Exif(taken_at=NOON + timedelta(hours=hour)),
            ),
            (1.0, 0.0, 0.0),
        )
    return images


ORDERS = {
    SortField.CREATED_AT: [1, 2, 3, 4, 5, 6, 7],
    SortField.BYTE_SIZE: [1, 2, 3, 4, 5, 6, 7],
    SortField.TAKEN_AT: [2, 7, 4, 5, 1, 3, 6],
    SortField.FILENAME: [2, 5, 1, 4, 3, 7, 6],
    SortField.RATING: [3, 7, 1, 4, 2, 5, 6],
}


MISSING = {SortField.TAKEN_AT: [3, 6], SortField.RATING: [2, 5, 6]}


async def test_images_are_sorted_by_field_then_by_id_with_missing_values_last(
    catalog: ImageLibrary, sort: Sort
) -> None:
    await add_tied_images(catalog)
    expected = ORDERS[sort.field]
    if sort.descending:
        missing = MISSING.get(sort.field, [])
        present = [number for number in expected if number not in missing]
        expected = present[::-1] + missing[::-1]
    page = await catalog.list(EVERYTHING, sort, Window(100))
    assert expected == [image.id.int for image in page.images]
    assert (False, False) == (page.has_next, page.has_previous)


async def test_a_window_is_a_slice_of_the_sorted_images(catalog: ImageLibrary, sort: Sort) -> None:
    await add_tied_images(catalog)
    images = (await catalog.list(EVERYTHING, sort, Window(100))).images
    bounds = [None, *range(len(images))]
    for after, before, size, from_end in itertools.product(
        bounds, bounds, (0, 2, 9), (False, True)
    ):
        start = 0 if after is None else after + 1
        stop = max(start, len(images) if before is None else before)
        if from_end:
            start = max(start, stop - size)
        else:
            stop = min(stop, start + size)
        if start == stop:
            continue
        window = Window(
            size,
            after=None if after is None else position_of(images[after], sort),
            before=None if before is None else position_of(images[before], sort),
            from_end=from_end,
        )
        expected = Page(images[start:stop], stop < len(images), start > 0)
        assert expected == await catalog.list(EVERYTHING, sort, window), window


async def test_a_position_is_valid_after_its_image_was_deleted(
    catalog: ImageLibrary, sort: Sort
) -> None:
    await add_tied_images(catalog)
    images = (await catalog.list(EVERYTHING, sort, Window(100))).images
    await catalog.delete([images[3].id])
    page = await catalog.list(EVERYTHING, sort, Window(2, after=position_of(images[3], sort)))
    assert Page(images[4:6], has_next=True, has_previous=True) == page


async def test_pages_of_a_filter_have_only_matching_images_and_neighbours(
    catalog: ImageLibrary,
) -> None:
    images = await add_tied_images(catalog)
    sort = Sort(SortField.BYTE_SIZE, descending=False)
    await catalog.tag([images[2].id, images[5].id], add=["sea"])
    sea = ImageFilter(tags_any=("sea",))
    window = Window(1, after=position_of(images[1], sort))
    page = await catalog.list(sea, sort, window)
    assert [2] == [image.id.int for image in page.images]
    assert (True, False) == (page.has_next, page.has_previous)
    page = await catalog.list(sea, sort, Window(5, after=position_of(images[5], sort)))
    assert Page((), has_next=False, has_previous=True) == page


async def test_an_empty_library_has_an_empty_page(catalog: ImageLibrary, sort: Sort) -> None:
    assert EMPTY == await catalog.list(EVERYTHING, sort, Window(10))
    assert EMPTY == await catalog.list(EVERYTHING, sort, Window(10, from_end=True))


@pytest.mark.parametrize("value", [-(2**200), -(2**63), 2**63, 2**200])
@pytest.mark.parametrize("field", sorted(set(SortField) - {SortField.FILENAME}))
async def test_positions_outside_of_the_range_of_values_are_at_the_ends(
    catalog: ImageLibrary, field: SortField, value: int
) -> None:
    await add_tied_images(catalog)
    position = Position(value, UUID(int=0))
    page = await catalog.list(EVERYTHING, Sort(field, descending=False), Window(9, after=position))
    missing = len(MISSING.get(field, []))
    assert (7 if value < 0 else missing) == len(page.images)
