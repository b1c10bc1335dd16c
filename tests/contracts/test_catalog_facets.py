"""The contract of facets, nearest points and known models: counts over images."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.entities.embeddings import EmbeddingModel
from domain.entities.facets import Facet, FacetValue
from domain.entities.filters import EVERYTHING, ImageFilter
from domain.entities.images import Exif, ImageStatus, uuid7
from domain.entities.listing import Sort, Window
from domain.entities.models import KnownModel, ModelState
from infra.postgres.engine import open_engine
from tests.contracts.conftest import MODEL
from tests.contracts.test_catalog_filters import FILTERS, IMAGES
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.facets import Selection
    from domain.entities.images import Image
    from tests.postgres_library import ImageLibrary

NORTH, EAST, BETWEEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.6, 0.8, 0.0)
UP, DOWN = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
ALL = dict.fromkeys(Facet)


async def add_all(catalog: ImageLibrary, *images: Image) -> list[UUID]:
    return [(await catalog.add(image, NORTH)).id for image in images]


async def count_values(
    catalog: ImageLibrary,
    facet: Facet,
    selection: Selection = EVERYTHING,
    *,
    first: int | None = None,
) -> list[tuple[str, int]]:
    counts = await catalog.facets(selection, {facet: first})
    assert {facet} == set(counts)
    return [(value.value, value.count) for value in counts[facet]]


async def test_values_are_sorted_by_falling_count_then_by_code_point(
    catalog: ImageLibrary,
) -> None:
    for tags in (("b", "sea"), ("a", "sea"), ("é", "Z", "\N{SNOWMAN}"), ("sea", "zoo"), ()):
        await add_all(catalog, image_with(tags=tags))
    expected = [("sea", 3), *((tag, 1) for tag in ("Z", "a", "b", "zoo", "é", "\N{SNOWMAN}"))]
    assert expected == await count_values(catalog, Facet.TAG)
    assert expected[:2] == await count_values(catalog, Facet.TAG, first=2)


async def test_images_without_the_fact_are_not_counted(catalog: ImageLibrary) -> None:
    await add_all(catalog, image_with(), image_with(exif=Exif()), image_with(exif=Exif(lens="50")))
    assert {
        Facet.CAMERA: (),
        Facet.TAG: (),
        Facet.MONTH: (),
        Facet.CONTENT_TYPE: (FacetValue("image/jpeg", 3),),
    } == await catalog.facets(EVERYTHING, ALL)


async def test_the_value_of_a_camera_is_accepted_by_the_filter(catalog: ImageLibrary) -> None:
    for make, model in (("Leica", "M3"), ("Leica", "M3"), ("Canon", "EOS 5D"), ("Nikon", None)):
        await add_all(catalog, image_with(exif=Exif(camera_make=make, camera_model=model)))
    cameras = await count_values(catalog, Facet.CAMERA)
    assert [("M3", 2), ("EOS 5D", 1)] == cameras
    for camera, count in cameras:
        assert count == await catalog.count(ImageFilter(camera_model_in=(camera,)))


async def test_months_are_in_local_time_and_sorted_newest_first(
    catalog: ImageLibrary,
) -> None:
    east = timezone(timedelta(hours=14))
    taken = [
        datetime(2024, 3, 1, 13, 59, tzinfo=east),
        datetime(2024, 2, 1, tzinfo=UTC),
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(33, 4, 3, 15, tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]
    await add_all(catalog, *(image_with(exif=Exif(taken_at=instant)) for instant in taken))
    expected = [("9999-12", 1), ("2024-03", 2), ("2024-02", 1), ("0033-04", 1), ("0001-01", 1)]
    assert expected == await count_values(catalog, Facet.MONTH)
    assert expected[:3] == await count_values(catalog, Facet.MONTH, first=3)


async def test_only_images_that_match_the_filter_are_counted(catalog: ImageLibrary) -> None:
    await add_all(
        catalog, image_with(tags=("sea", "boat")), image_with(tags=("sea",)), image_with()
    )
    assert [("boat", 1), ("sea", 1)] == await count_values(
        catalog, Facet.TAG, ImageFilter(tags_all=("boat",))
    )
    assert [] == await count_values(catalog, Facet.TAG, ImageFilter(tags_any=()))


async def test_repeated_ids_are_counted_once_and_unknown_ones_not(catalog: ImageLibrary) -> None:
    one, two, _ = await add_all(catalog, *(image_with(tags=("sea",)) for _ in range(3)))
    assert [("sea", 2)] == await count_values(catalog, Facet.TAG, [two, one, uuid7(), one])
    await catalog.delete([one])
    assert [("sea", 1)] == await count_values(catalog, Facet.TAG, (one, two))
    assert [] == await count_values(catalog, Facet.TAG, [])


async def test_without_facets_nothing_is_counted(catalog: ImageLibrary) -> None:
    await add_all(catalog, image_with())
    assert {} == await catalog.facets(EVERYTHING, {})


async def test_an_image_is_counted_for_the_nearest_point(catalog: ImageLibrary) -> None:
    for embedding in (NORTH, BETWEEN, EAST):
        await catalog.add(image_with(tags=("sea",)), embedding)
    await catalog.add(image_with(status=ImageStatus.FAILED), NORTH)
    assert [1, 2, 0] == await catalog.count_nearest(EVERYTHING, [NORTH, EAST, DOWN])
    assert [3] == await catalog.count_nearest(EVERYTHING, [DOWN])
    assert [1, 2] == await catalog.count_nearest(ImageFilter(tags_all=("sea",)), [NORTH, EAST])
    assert [0, 0] == await catalog.count_nearest(ImageFilter(tags_none=("sea",)), [NORTH, EAST])
    assert [] == await catalog.count_nearest(EVERYTHING, [])


async def test_a_tie_between_points_counts_for_the_first(catalog: ImageLibrary) -> None:
    await catalog.add(image_with(), NORTH)
    assert [1, 0, 0] == await catalog.count_nearest(EVERYTHING, [UP, DOWN, UP])
    assert [0, 1, 0] == await catalog.count_nearest(EVERYTHING, [UP, NORTH, NORTH])


async def test_unknown_ids_are_not_counted_for_a_point(catalog: ImageLibrary) -> None:
    north = await catalog.add(image_with(), NORTH)
    east = await catalog.add(image_with(), EAST)
    await catalog.add(image_with(), EAST)
    assert [1, 1] == await catalog.count_nearest([east.id, uuid7(), north.id], [NORTH, EAST])
    await catalog.delete([north.id])
    assert [0, 1] == await catalog.count_nearest([east.id, north.id], [NORTH, EAST])
    assert [0, 0] == await catalog.count_nearest([], [NORTH, EAST])


async def test_cosines_are_in_the_order_of_the_points(catalog: ImageLibrary) -> None:
    one = await catalog.add(image_with(), BETWEEN)
    two = await catalog.add(image_with(), DOWN)
    failed = await catalog.add(image_with(status=ImageStatus.FAILED), NORTH)
    found = await catalog.cosines([two.id, uuid7(), failed.id, one.id], [EAST, NORTH, UP])
    assert {one.id, two.id} == set(found)
    assert pytest.approx([0.8, 0.6, 0.0], abs=1e-6) == list(found[one.id])
    assert pytest.approx([0.0, 0.0, -1.0], abs=1e-6) == list(found[two.id])
    assert {} == await catalog.cosines([], [EAST])


async def test_images_are_compared_with_200_points(catalog: ImageLibrary) -> None:
    image = await catalog.add(image_with(), NORTH)
    points = [DOWN] * 199 + [NORTH]
    assert [0] * 199 + [1] == await catalog.count_nearest(EVERYTHING, points)
    assert pytest.approx([0.0] * 199 + [1.0]) == list(
        (await catalog.cosines([image.id], points))[image.id]
    )


async def test_the_active_model_is_known_with_the_number_of_its_embeddings(
    catalog: ImageLibrary,
) -> None:
    await catalog.add(image_with(), NORTH)
    await catalog.add(image_with(status=ImageStatus.FAILED), NORTH)
    assert [KnownModel("tests/small", 3, ModelState.ACTIVE, 1)] == list(await catalog.known())


async def test_retired_models_are_known_too(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        await PostgresLibrary.open(engine, EmbeddingModel("tests/first", 5))
        catalog = await PostgresLibrary.open(engine, MODEL)
        await catalog.add(image_with(), NORTH)
        assert [
            KnownModel("tests/first", 5, ModelState.RETIRED, 0),
            KnownModel("tests/small", 3, ModelState.ACTIVE, 1),
        ] == list(await catalog.known())


def test_postgres_and_the_fake_count_the_same(postgres_url: str) -> None:
    async def compare(images: list[Image], filters: list[ImageFilter], first: int) -> None:
        fake = MemoryCatalog(MODEL)
        async with open_engine(postgres_url) as engine:
            real = await PostgresLibrary.open(engine, MODEL)
            leftover = await real.list(EVERYTHING, Sort(), Window(100))
            await real.delete([image.id for image in leftover.images])
            for index, image in enumerate(images):
                for catalog in (real, fake):
                    await catalog.add(image, (NORTH, BETWEEN, UP)[index % 3])
            selections: list[Selection] = [*filters, [image.id for image in images[::2]]]
            for selection in selections:
                for most in (ALL, dict.fromkeys(Facet, first)):
                    expected = await fake.facets(selection, most)
                    assert expected == await real.facets(selection, most), selection
                nearest = await fake.count_nearest(selection, [EAST, NORTH, UP])
                assert nearest == await real.count_nearest(selection, [EAST, NORTH, UP])

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(IMAGES, min_size=4, max_size=12, unique_by=lambda image: image.id),
        st.lists(FILTERS, min_size=5, max_size=10),
        st.integers(1, 3),
    )
    def check(images: list[Image], filters: list[ImageFilter], first: int) -> None:
        asyncio.run(compare(images, filters, first))

    check()
