"""Facets, labels and models."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import gc
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.entities.facets import Facet, FacetRequest, FacetValue
from domain.entities.images import Exif, GeoPoint, ImageStatus
from domain.entities.keys import Scope
from domain.entities.labels import Candidates
from graph.schema.facets import ImageFacets
from graph.schema.ids import global_id, uuid_of
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY
from tests.graph.recording_fakes import RecordingCatalog

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
async def ids(client: Client, backend: FakeBackend) -> list[str]:
    """Three images with tags, and a FAILED photo of May 2024 with a camera."""
    files = [picture_file(colour) for colour in COLOURS.values()]
    payload = await client.upload(*files, names=tuple(COLOURS), tags=("sea",))
    exif = Exif(taken_at=datetime(2024, 5, 1, tzinfo=UTC), camera_model="M3")
    failed = image_with(status=ImageStatus.FAILED, tags=("boat",), exif=exif)
    await backend.catalog.add(failed, [1.0] + [0.0] * 15)
    backend.encoder.texts.clear()
    return [*(result["image"]["id"] for result in payload["results"]), global_id(failed.id)]


@pytest.mark.usefixtures("ids")
async def test_facets_count_all_matching_images_and_not_only_the_page(client: Client) -> None:
    facets = """facets {
        cameras { value count } tags { value count } months { value count }
        contentTypes { value count } labels(candidates: ["blue", "white", "red"]) { value count }
    }"""
    data = await client.data(f"{{ images(first: 1) {{ {facets} nodes {{ id }} }} }}")
    found = data["images"]["facets"]
    assert [{"value": "M3", "count": 1}] == found["cameras"]
    assert [{"value": "sea", "count": 3}, {"value": "boat", "count": 1}] == found["tags"]
    assert [{"value": "2024-05", "count": 1}] == found["months"]
    assert [("image/png", 3), ("image/jpeg", 1)] == pairs(found["contentTypes"])
    assert 3 == sum(count for _, count in pairs(found["labels"]))
    assert {"blue", "white", "red"} == {label for label, _ in pairs(found["labels"])}
    query = f"query ($filter: ImageFilter) {{ images(filter: $filter) {{ {facets} }} }}"
    found = (await client.data(query, filter={"tagsAll": ["boat"]}))["images"]["facets"]
    assert [("boat", 1)] == pairs(found["tags"])
    assert [("blue", 0), ("white", 0), ("red", 0)] == pairs(found["labels"])


def pairs(values: Any) -> list[tuple[str, int]]:
    return [(each["value"], each["count"]) for each in values]


@pytest.mark.usefixtures("ids")
async def test_all_selected_facets_are_counted_in_one_call(
    client: Client, catalog: RecordingCatalog, backend: FakeBackend
) -> None:
    data = await client.data("""{ images {
        facets { cameras { value } few: tags(first: 1) { value } tags { value } }
        more: facets { months { value } tags(first: 1) { count } }
    } }""")
    assert ["facets"] == catalog.scans
    assert 0 == len(backend.encoder.texts)
    facets = data["images"]["facets"]
    assert [{"value": "sea"}] == facets["few"]
    assert [{"value": "sea"}, {"value": "boat"}] == facets["tags"]
    assert {"months": [{"value": "2024-05"}], "tags": [{"count": 3}]} == data["images"]["more"]


@pytest.mark.usefixtures("ids")
async def test_facets_are_counted_only_when_selected(
    client: Client, catalog: RecordingCatalog, backend: FakeBackend
) -> None:
    await client.data("{ images { nodes { id tags } facets { __typename } } }")
    assert [] == catalog.scans
    query = '{ images { facets { labels(candidates: ["red", "blue"]) { value } } } }'
    await client.data(query)
    assert ["count_nearest", "cosines"] == catalog.scans
    assert ["a photo of red", "a photo of blue"] == backend.encoder.texts


async def test_facets_load_their_ids_once_and_only_when_counted(
    backend: FakeBackend, ids: list[str]
) -> None:
    loads = []

    async def hits() -> list[UUID]:
        loads.append("hits")
        return [uuid_of(id_, location=()) for id_ in ids[2:]]

    facets = ImageFacets.over(backend.use_cases(), hits)
    assert [] == loads
    tags, labels = await asyncio.gather(
        facets.counts.load(FacetRequest(Facet.TAG, 5)), facets.counts.load(Candidates.of(["red"]))
    )
    assert (FacetValue("boat", 1), FacetValue("sea", 1)) == tags
    assert (FacetValue("red", 1),) == labels
    assert ["hits"] == loads


ON_A_PAGE = """query ($candidates: [String!]!) {
    images(sort: {field: FILENAME, direction: ASC}) { nodes {
        filename labels(candidates: $candidates) { label share }
    } }
}"""


@pytest.mark.usefixtures("ids")
async def test_the_labels_of_a_page_are_scored_in_one_call_without_its_pictures(
    client: Client, catalog: RecordingCatalog, backend: FakeBackend
) -> None:
    pictures = len(backend.encoder.pictures)
    data = await client.data(ON_A_PAGE, candidates=["red", "green", " blue "])
    labels = {node["filename"]: node["labels"] for node in data["images"]["nodes"]}
    for colour in COLOURS:
        assert colour == labels[colour][0]["label"]
        assert pytest.approx(1) == sum(score["share"] for score in labels[colour])
    assert [] == labels["photo.jpg"]
    assert ["cosines"] == catalog.scans
    assert ["a photo of red", "a photo of green", "a photo of blue"] == backend.encoder.texts
    assert pictures == len(backend.encoder.pictures)


@pytest.mark.usefixtures("ids")
async def test_lists_of_labels_on_one_page_are_encoded_together(
    client: Client, catalog: RecordingCatalog, backend: FakeBackend
) -> None:
    await client.data("""{ images { nodes {
        some: labels(candidates: ["red", "blue"]) { label }
        more: labels(candidates: ["blue", "white"]) { label }
    } } }""")
    assert ["cosines"] == catalog.scans
    assert 3 == len(backend.encoder.texts)


async def test_the_images_of_a_mutation_can_be_labelled(client: Client, ids: list[str]) -> None:
    query = """mutation ($ids: [ID!]!) { tagImages(input: {imageIds: $ids, tags: ["a"]}) {
        images { labels(candidates: ["red", "blue"]) { label } }
    } }"""
    data = await client.change(query, ids=ids[:1])
    assert {"label": "red"} == data["tagImages"]["images"][0]["labels"][0]


@pytest.mark.usefixtures("ids")
async def test_facets_need_the_scope_read(serve: Serve) -> None:
    closed = serve(public_reading=False)
    for query in (
        '{ images { facets { labels(candidates: ["a"]) { value } } } }',
        "{ images { facets { tags { value } } } }",
    ):
        error = await closed.error(query)
        assert "UNAUTHENTICATED" == error["extensions"]["code"]


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("where", ["facets", "nodes"])
@pytest.mark.parametrize(
    ("candidates", "argument", "says"),
    [
        ([], "candidates", "0 labels were sent; send 1 to 50."),
        ([f"{n}" for n in range(51)], "candidates", "51 labels were sent; send 1 to 50."),
        (["a", " "], "candidates.1", "A label is blank; give it a word, or leave it out."),
        (["a", "a"], "candidates.1", "The label “a” was sent twice; send it once."),
        (["a" * 200], "candidates.0", "has 200 characters; at most 100 fit."),
        (["a\0"], "candidates.0", "The label has the character U+0000 in it; leave that out."),
    ],
)
async def test_invalid_labels_are_refused_with_their_path(
    client: Client, where: str, candidates: list[str], argument: str, says: str
) -> None:
    response = await client.ask(
        f"query ($c: [String!]!) {{ images(first: 1) {{ {where} {{ "
        "labels(candidates: $c) { __typename } } } }",
        c=candidates,
    )
    [error] = response["errors"]
    assert ("BAD_USER_INPUT", argument) == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )
    assert says in error["message"]


@pytest.mark.parametrize("facet", ["cameras", "tags", "months"])
@pytest.mark.parametrize("first", [0, -1, 101])
async def test_a_facet_size_out_of_range_is_refused_with_its_path(
    client: Client, facet: str, first: int
) -> None:
    query = f"query ($n: Int!) {{ images {{ facets {{ {facet}(first: $n) {{ value }} }} }} }}"
    error = await client.error(query, n=first)
    assert "first" == error["extensions"]["argument"]
    assert f"first is {first}; it may be 1 to 100 for a facet." == error["message"]


@pytest.mark.usefixtures("ids")
async def test_a_full_queue_of_the_model_is_overloaded(
    client: Client, backend: FakeBackend
) -> None:
    backend.encoder.overloaded = True
    for where in ("facets", "nodes"):
        query = (
            f'{{ images(first: 1) {{ {where} {{ labels(candidates: ["a"]) {{ __typename }} }} }} }}'
        )
        error = await client.error(query)
        assert "OVERLOADED" == error["extensions"]["code"]


@pytest.mark.usefixtures("ids")
async def test_a_facet_that_fails_is_one_error_and_logs_nothing(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.encoder.overloaded = True
    error = await client.error("""{ images {
        facets { tags { value } months { value } labels(candidates: ["a"]) { value } }
    } }""")
    assert ["images", "facets", "labels"] == error["path"]
    gc.collect()
    assert [] == caplog.records


MODELS = "{ models { name dimensions state embeddedCount } }"


@pytest.mark.usefixtures("ids")
async def test_an_admin_sees_the_models_and_their_embedded_counts(client: Client) -> None:
    assert [{"name": "fake", "dimensions": 16, "state": "ACTIVE", "embeddedCount": 3}] == (
        await client.data(MODELS, key=KEY)
    )["models"]


async def test_the_models_need_the_scope_admin(client: Client, backend: FakeBackend) -> None:
    secret, _ = await backend.use_cases().issue_key("writer", [Scope.WRITE])
    for key, code in ((None, "UNAUTHENTICATED"), (secret, "FORBIDDEN")):
        error = await client.error(MODELS, key=key)
        assert code == error["extensions"]["code"]
        assert "ADMIN" in error["message"]


async def test_places_are_clustered_for_a_map_of_listings_and_searches(
    client: Client, backend: FakeBackend
) -> None:
    for number, (latitude, longitude) in enumerate([(47.0, 9.0), (47.1, 9.1), (-17.8, 179.9)]):
        exif = Exif(location=GeoPoint(latitude, longitude))
        image = image_with(filename=f"{number}.jpg", exif=exif)
        await backend.catalog.add(image, [1.0] + [0.0] * 15)
    query = """query ($filter: ImageFilter, $precision: Int!) {
        images(filter: $filter, first: 0) { facets { places(precision: $precision) {
            count center { latitude longitude } north south east west
        } } }
        searchImages(by: {text: "a boat"}, filter: $filter, minRelevance: 0) {
            facets { places(precision: $precision, first: 1) { count } }
        }
    }"""
    fiji = {"north": -16, "south": -19, "east": -179, "west": 177}
    data = await client.data(query, precision=6, filter={"within": fiji})
    [place] = data["images"]["facets"]["places"]
    assert {"latitude": -17.8, "longitude": 179.9} == place["center"]
    assert (-17.8, -17.8, 179.9, 179.9) == tuple(
        place[edge] for edge in ("north", "south", "east", "west")
    )
    data = await client.data(query, precision=4)
    assert [2, 1] == [each["count"] for each in data["images"]["facets"]["places"]]
    assert [{"count": 2}] == data["searchImages"]["facets"]["places"]
    for precision in (-1, 25):
        error = (await client.ask(query, precision=precision))["errors"][0]
        assert "precision" == error["extensions"]["argument"]
    refused = await client.error(query, precision=1, filter={"within": {**fiji, "north": -20}})
    assert "filter.within.south" == refused["extensions"]["argument"]
