"""Every condition of a filter, in a listing, in a search and in facets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.entities.images import Exif, GeoPoint, ImageStatus
from graph.schema.ids import global_id
from tests.fakes.images import image_with
from tests.graph.fake_server import Client, FakeBackend

BOTH = """query ($filter: ImageFilter) {
    images(filter: $filter) { totalCount nodes { filename } facets { contentTypes { count } } }
    searchImages(by: {text: "a boat"}, filter: $filter) { nodes { filename } }
}"""
MATCHING = image_with(
    filename="matching.jpg",
    created_at=datetime(2024, 5, 1, tzinfo=UTC),
    tags=("boat",),
    width=640,
    height=480,
    rating=5,
    exif=Exif(
        taken_at=datetime(2023, 5, 1, tzinfo=UTC),
        taken_at_local=datetime.fromisoformat("2023-05-01"),
        camera_make="Leica",
        camera_model="M3",
        location=GeoPoint(48, 9),
    ),
)
OTHER = image_with(
    filename="other.png",
    created_at=datetime(2025, 5, 1, tzinfo=UTC),
    content_type="image/png",
    tags=("private",),
    width=300,
    height=900,
    rating=2,
    status=ImageStatus.FAILED,
)
CONDITIONS: dict[str, Any] = {  # Any: the conditions have different types
    "takenAt": {"gte": "2023-01-01T00:00:00Z", "lt": "2024-01-01T00:00:00+01:00"},
    "takenAtLocal": {"gte": "2023-01-01", "lt": "2024-01-01T00:00:00"},
    "createdAt": {"lt": "2025-01-01T00:00:00Z"},
    "cameraMakeIn": ["Leica"],
    "cameraModelIn": ["M2", "M3"],
    "near": {"latitude": 48.1, "longitude": 9.1, "radiusKm": 20},
    "within": {"north": 49, "south": 47, "east": 10, "west": 8},
    "hasLocation": True,
    "tagsAll": ["boat"],
    "tagsAny": ["boat", "sea"],
    "tagsNone": ["private"],
    "filename": "match*.jpg",
    "keywords": "matching",
    "contentTypeIn": ["image/jpeg"],
    "orientation": "LANDSCAPE",
    "width": {"gte": 640},
    "height": {"lte": 480},
    "rating": {"gte": 3},
    "statusIn": ["READY"],
    "idsNotIn": [global_id(OTHER.id)],
}


@pytest.fixture
async def library(backend: FakeBackend) -> None:
    for image in (MATCHING, OTHER):
        await backend.catalog.add(image, [1.0] + [0.0] * 15)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("name", [*CONDITIONS, None])
async def test_each_condition_applies_to_listings_searches_and_facets(
    client: Client, name: str | None
) -> None:
    criteria = CONDITIONS if name is None else {name: CONDITIONS[name]}
    data = await client.data(BOTH, filter=criteria)
    only = [{"filename": "matching.jpg"}]
    assert (only, 1) == (data["images"]["nodes"], data["images"]["totalCount"])
    assert only == data["searchImages"]["nodes"]
    assert [{"count": 1}] == data["images"]["facets"]["contentTypes"]


async def test_every_condition_of_the_filter_is_tested(client: Client) -> None:
    query = '{ __type(name: "ImageFilter") { inputFields { name } } }'
    known = (await client.data(query))["__type"]["inputFields"]
    # The trash has tests of its own.
    assert {*CONDITIONS, "deleted"} == {field["name"] for field in known}


async def test_a_range_beyond_32_bits_is_a_range(client: Client) -> None:
    query = "query ($filter: ImageFilter) { images(filter: $filter) { totalCount } }"
    for bounds in ({"gte": 2**40}, {"lte": -(2**40)}, {"gte": -(2**40), "lte": 2**40}):
        data = await client.data(query, filter={"width": bounds})
        assert 0 == data["images"]["totalCount"]
