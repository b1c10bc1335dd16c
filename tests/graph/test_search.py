"""Searches by text, picture, image and search id."""

# ruff: noqa: ANN401 - a response is any JSON

from typing import Any

import pytest

from domain.entities.images import uuid7
from graph.schema.ids import global_id
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.multipart_requests import KEY, multipart

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)

SEARCH = """
    query ($by: ImageSearchBy!, $first: Int! = 20, $after: String, $filter: ImageFilter) {
      searchImages(by: $by, first: $first, after: $after, filter: $filter) {
        searchId
        edges { cursor score node { id filename } }
        nodes { filename }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
"""


@pytest.fixture
async def ids(client: Client) -> Any:
    files = [picture_file(RED), picture_file(RED, words="again"), picture_file(BLUE)]
    payload = await client.upload(*files, names=("red.png", "again.png", "blue.png"))
    return [result["image"]["id"] for result in payload["results"]]


def names(found: Any) -> Any:
    return [edge["node"]["filename"] for edge in found["edges"]]


@pytest.mark.usefixtures("ids")
async def test_a_text_finds_what_it_describes_first(client: Client) -> None:
    found = (await client.data(SEARCH, by={"text": "red"}))["searchImages"]
    assert "blue.png" == names(found)[-1]
    scores = [edge["score"] for edge in found["edges"]]
    assert sorted(scores, reverse=True) == scores
    assert names(found) == [node["filename"] for node in found["nodes"]]


async def test_an_image_of_the_library_finds_itself_first(client: Client, ids: list[str]) -> None:
    found = (await client.data(SEARCH, by={"imageId": ids[2]}))["searchImages"]
    assert "blue.png" == names(found)[0]


@pytest.mark.usefixtures("ids")
async def test_an_example_is_sent_as_a_file(client: Client) -> None:
    operations = {"query": SEARCH, "variables": {"by": {"image": None}, "first": 1}}
    response = await client.http.post(
        "/graphql",
        headers={"Apollo-Require-Preflight": "true"},
        **multipart(
            operations, {"0": ["variables.by.image"]}, {"0": ("x.png", picture_file(BLUE))}
        ),
    )
    assert ["blue.png"] == names(response.json()["data"]["searchImages"])


async def test_an_invalid_example_picture_is_refused_with_a_code(client: Client) -> None:
    response = await client.http.post(
        "/graphql",
        headers={"Apollo-Require-Preflight": "true"},
        **multipart(
            {"query": SEARCH, "variables": {"by": {"image": None}}},
            {"0": ["variables.by.image"]},
            {"0": ("x.png", b"GIF?")},
        ),
    )
    assert "UNSUPPORTED_FORMAT" == response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.usefixtures("ids")
async def test_pages_of_a_search_do_not_repeat_images(client: Client) -> None:
    first = (await client.data(SEARCH, by={"text": "red"}, first=2))["searchImages"]
    assert first["pageInfo"]["hasNextPage"]
    rest = await client.data(SEARCH, by={"text": "red"}, after=first["pageInfo"]["endCursor"])
    assert ["blue.png"] == names(rest["searchImages"])
    assert rest["searchImages"]["pageInfo"]["hasPreviousPage"]


async def test_a_search_by_search_id_does_not_run_the_model(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    found = (await client.data(SEARCH, by={"text": "red"}))["searchImages"]
    calls = backend.encoder.calls
    narrowed = {"idsNotIn": [ids[0]]}
    again = await client.data(SEARCH, by={"searchId": found["searchId"]}, filter=narrowed)
    assert ["again.png", "blue.png"] == names(again["searchImages"])
    assert calls == backend.encoder.calls


async def test_similar_images_leave_out_the_image_itself(client: Client, ids: list[str]) -> None:
    query = """
        query ($id: ID!, $after: String) {
          image(id: $id) { similarImages(first: 1, after: $after) {
            edges { score node { filename } } pageInfo { endCursor hasNextPage }
          } }
        }
    """
    similar = (await client.data(query, id=ids[0]))["image"]["similarImages"]
    assert ["again.png"] == names(similar)
    after = similar["pageInfo"]["endCursor"]
    rest = (await client.data(query, id=ids[0], after=after))["image"]["similarImages"]
    assert (["blue.png"], False) == (names(rest), rest["pageInfo"]["hasNextPage"])


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ({"text": "   "}, "BAD_USER_INPUT"),
        ({"imageId": "x"}, "BAD_USER_INPUT"),
        ({"imageId": global_id(uuid7())}, "NOT_FOUND"),
        ({"searchId": "x"}, "BAD_USER_INPUT"),
        ({"searchId": str(uuid7())}, "SEARCH_EXPIRED"),
    ],
)
async def test_an_invalid_search_is_refused_with_a_code(
    client: Client, by: dict[str, object], code: str
) -> None:
    error = await client.error(SEARCH, by=by)
    assert code == error["extensions"]["code"]


@pytest.mark.parametrize("by", [{}, {"text": "a", "searchId": "b"}, {"text": None}, {"blend": 1}])
async def test_a_search_input_has_exactly_one_field(client: Client, by: dict[str, object]) -> None:
    response = await client.ask(SEARCH, by=by)
    assert "data" not in response
    assert "INTERNAL_SERVER_ERROR" not in str(response)


async def test_a_full_queue_of_the_model_is_overloaded(
    client: Client, backend: FakeBackend
) -> None:
    backend.encoder.overloaded = True
    error = await client.error(SEARCH, by={"text": "red"})
    assert "OVERLOADED" == error["extensions"]["code"]


async def test_a_malformed_cursor_is_refused(client: Client) -> None:
    error = await client.error(SEARCH, by={"text": "red"}, after="x")
    assert "after" == error["extensions"]["argument"]


async def test_the_search_limit_applies_to_mutations(client: Client, ids: list[str]) -> None:
    query = """
        mutation ($ids: [ID!]!) {
          tagImages(input: {imageIds: $ids, tags: ["a"]}) {
            images { similarImages(first: 1) { edges { score } } }
          }
        }
    """
    files = [picture_file(GREEN, words=str(number)) for number in range(9)]
    for part in (files[:5], files[5:]):
        payload = await client.upload(*part)
        ids += [result["image"]["id"] for result in payload["results"]]
    response = await client.ask(query, key=KEY, ids=ids)
    assert "The query's searches come to 12" in response["errors"][0]["message"]
