"""The contract of clusters of places, and of the filter for a part of a map."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import EVERYTHING, ImageFilter
from domain.entities.images import Exif, GeoPoint, uuid7
from domain.entities.listing import Sort, Window
from domain.entities.places import GeoBox, PlaceCluster, PlaceRequest
from infra.postgres.catalog.places import PostgresPlaces
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with
from tests.fakes.places import MemoryPlaces
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.images import Image
    from domain.ports import Places
    from tests.postgres_library import ImageLibrary

EMBEDDING = (1.0, 0.0, 0.0)


@pytest.fixture
def places(catalog: ImageLibrary) -> Places:
    if isinstance(catalog, MemoryCatalog):
        return MemoryPlaces(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresPlaces(catalog.engine)


async def taken(
    catalog: ImageLibrary, *coordinates: tuple[float, float], name: str = "a.jpg"
) -> list[Image]:
    exifs = [Exif(location=GeoPoint(*each)) for each in coordinates]
    return [
        await catalog.add(image_with(uuid7(), filename=name, exif=exif), EMBEDDING)
        for exif in exifs
    ]


def seen(clusters: Sequence[PlaceCluster]) -> list[tuple[int, float, float]]:
    return [(each.count, round(each.latitude, 6), round(each.longitude, 6)) for each in clusters]


async def test_images_of_one_cell_are_one_cluster_the_fullest_first(
    catalog: ImageLibrary, places: Places
) -> None:
    await taken(catalog, (47.1, 9.1), (47.3, 9.3), (47.2, 9.2), (-33.8, 151.2), (47.0, 99.0))
    await catalog.add(image_with(), EMBEDDING)
    coarse = await places.clusters(EVERYTHING, PlaceRequest(4, 10))
    assert [(3, 47.2, 9.2), (1, -33.8, 151.2), (1, 47.0, 99.0)] == seen(coarse)
    assert GeoBox(47.3, 47.1, 9.3, 9.1) == coarse[0].box
    fine = await places.clusters(EVERYTHING, PlaceRequest(14, 10))
    assert [1] * 5 == [each.count for each in fine]
    whole = await places.clusters(EVERYTHING, PlaceRequest(0, 10))
    assert [5] == [each.count for each in whole]
    assert 1 == len(await places.clusters(EVERYTHING, PlaceRequest(4, 1)))


async def test_a_selection_is_clustered(catalog: ImageLibrary, places: Places) -> None:
    here, _ = await taken(catalog, (10, 10), (20, 20))
    await taken(catalog, (10.001, 10), name="b.jpg")
    request = PlaceRequest(8, 10)
    assert [(1, 10, 10)] == seen(await places.clusters([here.id, uuid7()], request))
    named = ImageFilter(filename="b*")
    assert [(1, 10.001, 10)] == seen(await places.clusters(named, request))
    assert [] == seen(await places.clusters([], request))


async def test_poles_and_the_date_line_are_in_one_cell_each(
    catalog: ImageLibrary, places: Places
) -> None:
    await taken(catalog, (90, 0), (-90, 0), (0, 180), (0, -180), (0, 179.999))
    clusters = await places.clusters(EVERYTHING, PlaceRequest(10, 10))
    assert [(2, 0, -180), (1, -90, 0), (1, 0, 179.999), (1, 90, 0)] == seen(clusters)


async def test_a_box_finds_what_is_inside_also_across_the_date_line(catalog: ImageLibrary) -> None:
    chance = random.Random(16)
    spread = [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(40)]
    fixed = [(0, 180), (0, -180), (0, 175), (0, -175), (10, 175), (-17.8, 178.0), (-17.8, -179.9)]
    for number, place in enumerate((*fixed, *spread)):
        await taken(catalog, place, name=f"{number}.jpg")

    async def inside(*edges: float) -> set[str]:
        criteria = ImageFilter(within=GeoBox(*edges))
        page = await catalog.list(criteria, Sort(), Window(100))
        return {image.filename for image in page.images}

    fiji = await inside(-16, -19, -179, 177)
    assert {"5.jpg", "6.jpg"} <= fiji
    assert fiji == await inside(-16, -19, 181, 177)
    assert {"0.jpg", "1.jpg", "2.jpg"} <= await inside(5, -5, 180, 170)
    assert {"0.jpg", "1.jpg", "3.jpg"} <= await inside(5, -5, -170, -180)
    assert 47 == len(await inside(90, -90, 180, -180))
    for north, south, east, west in ((50, 10, 60, -20), (20, -60, -100, 100)):
        is_across = west > east
        expected = {
            f"{number}.jpg"
            for number, (latitude, longitude) in enumerate((*fixed, *spread))
            if south <= latitude <= north
            and (
                (longitude >= west or longitude <= east) if is_across else west <= longitude <= east
            )
        }
        assert expected == await inside(north, south, east, west)
