"""Images, listings and the service."""

# ruff: noqa: ANN401 - a response is any JSON

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.entities.images import Exif, GeoPoint
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve

PAGE = """
    query ($first: Int, $after: String, $last: Int, $before: String, $sort: ImageSort) {
      images(first: $first, after: $after, last: $last, before: $before, sort: $sort) {
        edges { cursor node { filename } }
        nodes { filename }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
"""
NAMES = ["a.png", "b.png", "c.png", "d.png", "e.png"]
BY_NAME = {"field": "FILENAME", "direction": "ASC"}


@pytest.fixture
async def ids(client: Client) -> Any:
    files = [picture_file(words=name) for name in NAMES]
    payload = await client.upload(*files, names=tuple(NAMES), tags=("red",))
    return [result["image"]["id"] for result in payload["results"]]


def names(connection: Any) -> Any:
    return [node["filename"] for node in connection["nodes"]]


async def test_an_image_has_all_its_fields(client: Client, ids: list[str]) -> None:
    data = await client.data(
        """
        query ($id: ID!) { image(id: $id) {
            id filename contentType byteSize sha256 width height placeholder status failureReason
            altText tags createdAt exif { iso }
        } }
        """,
        id=ids[0],
    )
    image = data["image"]
    assert ids[0] == image["id"]
    assert "a.png" == image["filename"]
    assert "image/png" == image["contentType"]
    assert (8, 6) == (image["width"], image["height"])
    assert "READY" == image["status"]
    assert ["red"] == image["tags"]
    assert image["createdAt"].endswith("+00:00")
    assert image["exif"] is None


async def test_a_global_id_is_the_base64_of_type_and_uuid(ids: list[str]) -> None:
    assert base64.b64decode(ids[0]).startswith(b"Image:0")


async def test_urls_contain_the_uuid_and_the_variant(client: Client, ids: list[str]) -> None:
    query = "query ($id: ID!) { image(id: $id) { url thumb: url(variant: THUMBNAIL) } }"
    image = (await client.data(query, id=ids[0]))["image"]
    uuid = base64.b64decode(ids[0]).decode().removeprefix("Image:")
    assert f"http://pictures.test/images/{uuid}/original" == image["url"]
    assert f"http://pictures.test/images/{uuid}/thumbnail" == image["thumb"]


async def test_the_configured_public_url_takes_precedence_over_the_host_header(
    serve: Serve, ids: list[str]
) -> None:
    client = serve(public_url="https://pictures.example/")
    image = (await client.data("query ($id: ID!) { image(id: $id) { url } }", id=ids[0]))["image"]
    assert image["url"].startswith("https://pictures.example/images/")


@pytest.mark.usefixtures("ids")
async def test_the_newest_images_come_first_by_default(client: Client) -> None:
    newest = await client.data(PAGE)
    assert NAMES[::-1] == names(newest["images"])
    by_name = await client.data(PAGE, sort=BY_NAME)
    assert NAMES == names(by_name["images"])


@pytest.mark.usefixtures("ids")
async def test_pages_go_forward_and_back_without_repeating(client: Client) -> None:
    first = (await client.data(PAGE, first=2, sort=BY_NAME))["images"]
    assert ["a.png", "b.png"] == names(first)
    assert (True, False) == (
        first["pageInfo"]["hasNextPage"],
        first["pageInfo"]["hasPreviousPage"],
    )
    after = first["pageInfo"]["endCursor"]
    second = (await client.data(PAGE, first=2, after=after, sort=BY_NAME))["images"]
    assert ["c.png", "d.png"] == names(second)
    assert second["edges"][0]["cursor"] == second["pageInfo"]["startCursor"]
    before = second["pageInfo"]["startCursor"]
    back = (await client.data(PAGE, last=1, before=before, sort=BY_NAME))["images"]
    assert ["b.png"] == names(back)
    assert (True, True) == (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"])


@pytest.mark.usefixtures("ids")
async def test_an_empty_page_has_no_cursors(client: Client) -> None:
    page = (await client.data(PAGE, first=0))["images"]
    assert [] == page["nodes"]
    assert page["pageInfo"]["startCursor"] is None


@pytest.mark.usefixtures("ids")
async def test_a_null_argument_means_the_same_as_an_omitted_one(client: Client) -> None:
    page = await client.data(PAGE, first=None, after=None, last=None, before=None, sort=None)
    assert 5 == len(page["images"]["nodes"])


async def test_first_and_last_together_are_refused(client: Client) -> None:
    error = await client.error("{ images(first: 1, last: 1) { nodes { id } } }")
    assert "`first` and `last` exclude each other; send only one of them." == error["message"]


@pytest.mark.parametrize(("argument", "size"), [("first", 101), ("first", -1), ("last", 101)])
async def test_a_page_size_out_of_range_is_refused(
    client: Client, argument: str, size: int
) -> None:
    error = await client.error(f"{{ images({argument}: {size}) {{ nodes {{ id }} }} }}")
    assert ("BAD_USER_INPUT", argument) == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )


async def test_cursors_work_for_file_names_with_format_characters(client: Client) -> None:
    strange = ["a👨\u200d👩\u200d👧.png", "b\u200cc.png", "z.png"]
    await client.upload(*(picture_file(words=name) for name in strange), names=tuple(strange))
    walked, after = [], None
    for _ in strange:
        page = (await client.data(PAGE, first=1, after=after, sort=BY_NAME))["images"]
        walked += names(page)
        after = page["pageInfo"]["endCursor"]
    assert sorted(strange) == walked


@pytest.mark.usefixtures("ids")
async def test_a_cursor_of_another_sort_order_is_refused(client: Client) -> None:
    page = (await client.data(PAGE, first=1, sort=BY_NAME))["images"]
    error = await client.error(PAGE, first=1, after=page["pageInfo"]["endCursor"])
    assert "belongs to another sort" in error["message"]
    assert "after" == error["extensions"]["argument"]


@pytest.mark.usefixtures("ids")
async def test_the_total_count_is_counted_only_when_selected(
    client: Client, backend: FakeBackend
) -> None:
    await client.data("{ images { nodes { id } } }")
    assert 0 == backend.catalog.count_calls
    data = await client.data('{ images(filter: {tagsAll: ["red"]}, first: 1) { totalCount } }')
    assert 5 == data["images"]["totalCount"]


async def test_all_conditions_of_a_filter_reach_the_catalog(client: Client, ids: list[str]) -> None:
    query = "query ($f: ImageFilter) { images(filter: $f) { nodes { filename } } }"
    everything = {
        "createdAt": {"gte": "2026-01-01T00:00:00Z", "lt": None},
        "contentTypeIn": ["image/png"],
        "orientation": "LANDSCAPE",
        "width": {"gte": 8, "lte": 8},
        "height": {"lte": 6},
        "statusIn": ["READY"],
        "tagsAny": ["red", "blue"],
        "tagsNone": ["blue"],
        "hasLocation": False,
        "keywords": "red",
        "cameraMakeIn": None,
        "idsNotIn": ids[:3],
    }
    assert ["e.png", "d.png"] == names((await client.data(query, f=everything))["images"])
    near = {"near": {"latitude": 1.0, "longitude": 2.0, "radiusKm": 3.0}}
    assert [] == names((await client.data(query, f=near))["images"])


@pytest.mark.parametrize(
    ("condition", "argument"),
    [
        ({"near": {"latitude": 91, "longitude": 0, "radiusKm": 1}}, "filter.near.latitude"),
        ({"idsNotIn": ["x"]}, "filter.idsNotIn.0"),
        ({"keywords": "\0"}, "filter.keywords"),
    ],
)
async def test_an_invalid_filter_is_refused_with_its_path(
    client: Client, condition: dict[str, object], argument: str
) -> None:
    query = "query ($f: ImageFilter) { images(filter: $f) { nodes { id } } }"
    error = await client.error(query, f=condition)
    assert argument == error["extensions"]["argument"]


@pytest.mark.parametrize("instant", ["2026-01-01T00:00:00", "yesterday", 5, ""])
async def test_an_instant_needs_an_offset(client: Client, instant: object) -> None:
    query = "query ($t: DateTime!) { images(filter: {createdAt: {gte: $t}}) { totalCount } }"
    error = await client.error(query, t=instant)
    assert "offset" in error["message"] or "not an ISO 8601 instant" in error["message"]


async def test_an_image_has_all_its_exif_metadata(client: Client, backend: FakeBackend) -> None:
    file = picture_file(words="with exif")
    backend.imaging.exif[file] = Exif(
        taken_at=datetime(2024, 5, 4, tzinfo=UTC),
        camera_make="Nikon",
        location=GeoPoint(43.5, -11.5),
        f_number=5.6,
        all={"Make": "Nikon", "FNumber": "5.6"},
    )
    await client.upload(file)
    query = """{ images { nodes { exif {
        takenAt cameraMake location { latitude longitude } fNumber lens all { name value }
    } } } }"""
    [image] = (await client.data(query))["images"]["nodes"]
    assert {
        "takenAt": "2024-05-04T00:00:00.000+00:00",
        "cameraMake": "Nikon",
        "location": {"latitude": 43.5, "longitude": -11.5},
        "fNumber": 5.6,
        "lens": None,
        "all": [{"name": "FNumber", "value": "5.6"}, {"name": "Make", "value": "Nikon"}],
    } == image["exif"]


@pytest.mark.usefixtures("ids")
async def test_the_service_describes_itself(client: Client) -> None:
    data = await client.data(
        """{ service {
            version maxUploadBytes maxFilesPerRequest acceptedContentTypes
            model { name dimensions state embeddedCount }
        } }"""
    )
    assert {
        "version": "1.2.3",
        "maxUploadBytes": 10_000,
        "maxFilesPerRequest": 5,
        "acceptedContentTypes": ["image/png"],
        "model": {"name": "fake", "dimensions": 16, "state": "ACTIVE", "embeddedCount": 5},
    } == data["service"]
