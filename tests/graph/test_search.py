"""Finding images over the API."""

# ruff: noqa: ANN401 - what a server answers is any JSON

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
    answer = await client.http.post(
        "/graphql",
        headers={"Apollo-Require-Preflight": "true"},
        **multipart(
            operations, {"0": ["variables.by.image"]}, {"0": ("x.png", picture_file(BLUE))}
        ),
    )
    assert ["blue.png"] == names(answer.json()["data"]["searchImages"])


async def test_an_example_that_is_no_picture_says_so_by_code(client: Client) -> None:
    answer = await client.http.post(
        "/graphql",
        headers={"Apollo-Require-Preflight": "true"},
        **multipart(
            {"query": SEARCH, "variables": {"by": {"image": None}}},
            {"0": ["variables.by.image"]},
            {"0": ("x.png", b"GIF?")},
        ),
    )
    assert "UNSUPPORTED_FORMAT" == answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.usefixtures("ids")
async def test_pages_of_a_search_repeat_nothing(client: Client) -> None:
    first = (await client.data(SEARCH, by={"text": "red"}, first=2))["searchImages"]
    assert first["pageInfo"]["hasNextPage"]
    rest = await client.data(SEARCH, by={"text": "red"}, after=first["pageInfo"]["endCursor"])
    assert ["blue.png"] == names(rest["searchImages"])
    assert rest["searchImages"]["pageInfo"]["hasPreviousPage"]


async def test_a_search_is_asked_again_by_its_id_without_the_model(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    found = (await client.data(SEARCH, by={"text": "red"}))["searchImages"]
    calls = backend.encoder.calls
    narrowed = {"idsNotIn": [ids[0]]}
    again = await client.data(SEARCH, by={"searchId": found["searchId"]}, filter=narrowed)
    assert ["again.png", "blue.png"] == names(again["searchImages"])
    assert calls == backend.encoder.calls


async def test_what_looks_like_an_image_is_never_the_image(client: Client, ids: list[str]) -> None:
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
async def test_a_search_that_cannot_be_says_why_by_code(
    client: Client, by: dict[str, object], code: str
) -> None:
    error = await client.error(SEARCH, by=by)
    assert code == error["extensions"]["code"]


@pytest.mark.parametrize("by", [{}, {"text": "a", "searchId": "b"}, {"text": None}, {"blend": 1}])
async def test_exactly_one_way_to_say_what_is_looked_for(
    client: Client, by: dict[str, object]
) -> None:
    answer = await client.ask(SEARCH, by=by)
    assert "data" not in answer
    assert "INTERNAL_SERVER_ERROR" not in str(answer)


async def test_too_much_waiting_for_the_model_is_overloaded(
    client: Client, backend: FakeBackend
) -> None:
    backend.encoder.overloaded = True
    error = await client.error(SEARCH, by={"text": "red"})
    assert "OVERLOADED" == error["extensions"]["code"]


async def test_a_cursor_that_is_none_is_one_clear_error(client: Client) -> None:
    error = await client.error(SEARCH, by={"text": "red"}, after="x")
    assert "after" == error["extensions"]["argument"]


async def test_a_change_cannot_be_followed_by_more_searches_than_a_query(
    client: Client, ids: list[str]
) -> None:
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
    answer = await client.ask(query, key=KEY, ids=ids)
    assert "at most 10 searches" in answer["errors"][0]["message"]
