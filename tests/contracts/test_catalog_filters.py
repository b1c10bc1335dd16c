"""The contract of filters: examples, and random filters that PostgreSQL and the fake agree on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import GeoNear, ImageFilter, IntRange, Orientation, TimeRange
from domain.entities.images import Exif, GeoPoint, Image, ImageStatus
from domain.entities.listing import Sort, Window
from infra.postgres.engine import open_engine
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import NOON, image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from tests.postgres_library import ImageLibrary

EMBEDDING = (1.0, 0.0, 0.0)


async def filenames_of(catalog: ImageLibrary, criteria: ImageFilter) -> set[str]:
    page = await catalog.list(criteria, Sort(), Window(100))
    assert len(page.images) == await catalog.count(criteria)
    return {image.filename for image in page.images}


async def add_all(catalog: ImageLibrary, *images: Image) -> None:
    for image in images:
        await catalog.add(image, EMBEDDING)


def at(latitude: float, longitude: float) -> Exif:
    return Exif(location=GeoPoint(latitude, longitude))


async def test_keywords_match_words_of_file_name_alt_text_and_tags(catalog: ImageLibrary) -> None:
    await add_all(
        catalog,
        image_with(filename="IMG_1234.jpg"),
        image_with(filename="red-boat.jpg"),
        image_with(filename="c", alt_text="A Red sunset, the boat's last."),
        image_with(filename="d", tags=("boat", "Bodensee (Überlingen)")),
    )
    for keywords, expected in (
        ("1234", {"IMG_1234.jpg"}),
        ("img 1234", {"IMG_1234.jpg"}),
        ("IMG_1234.jpg", {"IMG_1234.jpg"}),
        ("boat", {"red-boat.jpg", "c", "d"}),
        ("red BOAT", {"red-boat.jpg", "c"}),
        ("überlingen", {"d"}),
        ("boats", set()),
        ("boa", set()),
        ("", set()),
        ("!?& | <-> :* \\ ' ( %", set()),
    ):
        assert expected == await filenames_of(catalog, ImageFilter(keywords=keywords))


async def test_a_circle_extends_across_the_date_line_and_the_poles(
    catalog: ImageLibrary,
) -> None:
    await add_all(
        catalog,
        image_with(filename="fiji", exif=at(-17.8, 178.0)),
        image_with(filename="samoa", exif=at(-13.8, -171.8)),
        image_with(filename="pole", exif=at(89.9, 10.0)),
        image_with(filename="alert", exif=at(82.5, -62.3)),
        image_with(filename="south", exif=at(-90.0, 180.0)),
        image_with(filename="zero", exif=at(0.0, 0.0)),
        image_with(filename="nowhere"),
    )
    for near, expected in (
        (GeoNear(-16, -179, 500), {"fiji"}),
        (GeoNear(-16, 179, 1_100), {"fiji", "samoa"}),
        (GeoNear(89.9, -170, 30), {"pole"}),
        (GeoNear(89.9, -170, 900), {"pole", "alert"}),
        (GeoNear(-90, 0, 0.001), {"south"}),
        (GeoNear(0, 0, 0), {"zero"}),
        (GeoNear(5e-324, -5e-324, 0), {"zero"}),
        (GeoNear(0, 0, 20_100), {"fiji", "samoa", "pole", "alert", "south", "zero"}),
    ):
        assert expected == await filenames_of(catalog, ImageFilter(near=near))


@pytest.mark.parametrize(
    ("degrees", "found"), [(0.999_999_99, True), (1.0, True), (1.000_000_01, False)]
)
async def test_a_radius_is_exact_to_a_millimetre(
    catalog: ImageLibrary, degrees: float, *, found: bool
) -> None:
    await add_all(catalog, image_with(exif=at(0.0, degrees)))
    kilometres = 111.195_080_233_533 + 1e-9  # a degree of the equator
    near = GeoNear(0.0, 0.0, kilometres)
    assert int(found) == await catalog.count(ImageFilter(near=near))


async def test_an_empty_list_of_any_matches_nothing_and_one_of_all_or_none_everything(
    catalog: ImageLibrary,
) -> None:
    await add_all(
        catalog, image_with(filename="one", tags=("sea",), exif=Exif(camera_make="Leica"))
    )
    for criteria, expected in (
        (ImageFilter(camera_make_in=()), set()),
        (ImageFilter(content_type_in=()), set()),
        (ImageFilter(status_in=()), set()),
        (ImageFilter(tags_any=()), set()),
        (ImageFilter(tags_all=()), {"one"}),
        (ImageFilter(tags_none=()), {"one"}),
        (ImageFilter(ids_not_in=()), {"one"}),
        (ImageFilter(taken_at=TimeRange()), {"one"}),
        (ImageFilter(width=IntRange()), {"one"}),
    ):
        assert expected == await filenames_of(catalog, criteria)


@pytest.mark.parametrize("number", [2**31, 2**63, 2**200])
async def test_numbers_beyond_64_bits_are_compared_as_numbers(
    catalog: ImageLibrary, number: int
) -> None:
    await add_all(catalog, image_with())
    assert 1 == await catalog.count(ImageFilter(width=IntRange(-number, number)))
    assert 0 == await catalog.count(ImageFilter(height=IntRange(gte=number)))


async def test_instants_are_compared_across_time_zones(catalog: ImageLibrary) -> None:
    await add_all(catalog, image_with(created_at=NOON))
    noon = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    microsecond = timedelta(microseconds=1)
    assert 1 == await catalog.count(ImageFilter(created_at=TimeRange(noon, noon + microsecond)))
    assert 0 == await catalog.count(ImageFilter(created_at=TimeRange(lt=noon)))


async def test_bounds_can_be_the_first_and_the_last_instant_of_the_calendar(
    catalog: ImageLibrary,
) -> None:
    await add_all(catalog, image_with(exif=Exif(taken_at=NOON)))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert 1 == await catalog.count(ImageFilter(taken_at=TimeRange(first, last)))


TAGS = st.sampled_from(["boat", "sea", "Ärger", "a'b", '"', "\\"])
MAKES = st.sampled_from(["Leica", "Canon", "canon"])
TIMES = st.sampled_from([NOON + timedelta(hours=hours) for hours in range(-3, 4)])
LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
SIDES = st.sampled_from([1, 2, 300, 2**31 - 1])


def sorted_tuples(of: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(of, max_size=3, unique=True).map(lambda found: tuple(sorted(found)))


EXIFS = st.builds(
    Exif,
    taken_at=st.none() | TIMES,
    camera_make=st.none() | MAKES,
    camera_model=st.none() | MAKES,
    location=st.none() | st.builds(GeoPoint, LATITUDES, LONGITUDES),
)
IMAGES = st.builds(
    lambda number, **facts: image_with(UUID(int=number), **facts),
    st.integers(0, 2**128 - 1),
    filename=st.sampled_from(["red-boat.jpg", "IMG_1.png", "sea"]),
    alt_text=st.none() | st.sampled_from(["Red sea.", "a boat, at sea"]),
    tags=sorted_tuples(TAGS),
    content_type=st.sampled_from(["image/jpeg", "image/png"]),
    status=st.sampled_from(ImageStatus),
    created_at=TIMES,
    width=st.none() | SIDES,
    height=st.none() | SIDES,
    rating=st.none() | st.integers(1, 5),
    exif=st.none() | EXIFS,
)
INTS = st.builds(IntRange, st.none() | st.integers(), st.none() | st.integers())
RANGES = st.builds(TimeRange, st.none() | TIMES, st.none() | TIMES)
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {  # Any: conditions have many types
    "taken_at": RANGES,
    "created_at": RANGES,
    "camera_make_in": sorted_tuples(MAKES),
    "camera_model_in": sorted_tuples(MAKES),
    "near": st.builds(GeoNear, LATITUDES, LONGITUDES, st.floats(0, 20_100)),
    "has_location": st.booleans(),
    "tags_all": sorted_tuples(TAGS),
    "tags_any": sorted_tuples(TAGS),
    "tags_none": sorted_tuples(TAGS),
    "keywords": st.sampled_from(["boat", "red", "sea boat", "1", "jpg", "none"]),
    "content_type_in": sorted_tuples(st.sampled_from(["image/jpeg", "image/png", "'"])),
    "orientation": st.sampled_from(Orientation),
    "width": INTS,
    "height": INTS,
    "rating": st.builds(IntRange, st.none() | st.integers(0, 6), st.none() | st.integers(0, 6)),
    "status_in": st.lists(st.sampled_from(ImageStatus)).map(tuple),
    "ids_not_in": st.lists(st.uuids(), max_size=2).map(tuple),
}
# At most two conditions: with more, nearly every result is empty and proves little.
FILTERS = (
    st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=2, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: CONDITIONS[name] for name in names}))
    .map(lambda conditions: ImageFilter(**conditions))
)


def test_postgres_and_the_fake_list_the_same_images_for_any_filter(postgres_url: str) -> None:
    async def compare(images: list[Image], filters: list[ImageFilter]) -> None:
        fake = MemoryCatalog()
        async with open_engine(postgres_url) as engine:
            real = await PostgresLibrary.open(engine, EmbeddingModel("tests/small", 3))
            async with engine.begin() as connection:
                await connection.execute(text("DELETE FROM images"))
            await add_all(real, *images)
            await add_all(fake, *images)
            for criteria in filters:
                expected = await fake.list(criteria, Sort(), Window(100))
                found = await real.list(criteria, Sort(), Window(100))
                assert expected == found, criteria

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(IMAGES, min_size=4, max_size=12, unique_by=lambda image: image.id),
        st.lists(FILTERS, min_size=20, max_size=40),
    )
    def check(images: list[Image], filters: list[ImageFilter]) -> None:
        asyncio.run(compare(images, filters))

    check()
