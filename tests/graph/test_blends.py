"""Blends, and every invalid query."""

# ruff: noqa: ANN401 - a response is any JSON

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.entities.images import uuid7
from domain.entities.searches import SEARCH_LIFETIME
from graph.schema.ids import global_id
from tests.fakes.encoder import COLOURS
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.multipart_requests import multipart

SEARCH = """
    query ($by: ImageSearchBy!, $after: String, $minRelevance: Float,
           $collapse: Collapse! = NONE, $exact: Boolean! = false, $first: Int! = 1) {
      searchImages(by: $by, after: $after, minRelevance: $minRelevance, collapse: $collapse,
                   exact: $exact, first: $first) {
        searchId nodes { filename } pageInfo { endCursor }
      }
    }
"""
RED, BLUE = {"term": {"text": "red"}}, {"term": {"text": "blue"}}
BLEND = {"blend": {"like": [RED], "unlike": [BLUE]}}
FILE = {"term": {"image": None}}


@pytest.fixture
async def ids(client: Client) -> dict[str, str]:
    found = {}
    for colour in ("red", "blue", "purple", "magenta"):
        payload = await client.upload(picture_file(COLOURS[colour]), names=(colour,))
        found[colour] = payload["results"][0]["image"]["id"]
    return found


async def found(client: Client, **variables: Any) -> Any:
    return (await client.data(SEARCH, **variables))["searchImages"]


async def with_files(client: Client, by: object, **files: bytes) -> Any:
    """Search with files for paths in ``by``, written with __ for dots."""
    file_map = {name: [f"variables.by.{name.replace('__', '.')}"] for name in files}
    response = await client.http.post(
        "/graphql",
        headers={"GraphQL-Require-Preflight": "1"},
        **multipart(
            {"query": SEARCH, "variables": {"by": by}},
            file_map,
            {name: (f"{name}.png", data) for name, data in files.items()},
        ),
    )
    return response.json()


async def test_a_blend_finds_images_between_its_weighted_terms(
    client: Client, ids: dict[str, str]
) -> None:
    like: list[Any] = [RED, {"term": {"imageId": ids["blue"]}, "weight": 1}]
    assert [{"filename": "purple"}] == (await found(client, by={"blend": {"like": like}}))["nodes"]
    like[1]["weight"] = 0.01
    assert [{"filename": "red"}] == (await found(client, by={"blend": {"like": like}}))["nodes"]


@pytest.mark.usefixtures("ids")
async def test_unlike_terms_are_left_out(client: Client) -> None:
    magenta = {"term": {"text": "magenta"}}
    nothing: list[Any] = [None, []]
    for unlike in nothing:
        by = {"blend": {"like": [magenta], "unlike": unlike}}
        assert [{"filename": "magenta"}] == (await found(client, by=by))["nodes"]
    by = {"blend": {"like": [RED, BLUE], "unlike": [RED]}}
    assert [{"filename": "blue"}] == (await found(client, by=by))["nodes"]


@pytest.mark.usefixtures("ids")
async def test_pictures_of_a_blend_are_sent_as_files(client: Client, backend: FakeBackend) -> None:
    by = {"blend": {"like": [RED, FILE], "unlike": [FILE]}}
    response = await with_files(
        client,
        by,
        blend__like__1__term__image=picture_file(COLOURS["blue"]),
        blend__unlike__0__term__image=picture_file(COLOURS["green"]),
    )
    page = response["data"]["searchImages"]
    assert [{"filename": "purple"}] == page["nodes"]
    assert 4 + 2 == len(backend.encoder.pictures)
    calls = backend.encoder.calls
    again = await found(client, by={"searchId": page["searchId"]})
    assert page == again
    rest = await found(
        client, by={"searchId": page["searchId"]}, after=page["pageInfo"]["endCursor"], first=9
    )
    assert 3 == len(rest["nodes"])
    assert calls == backend.encoder.calls


async def test_an_invalid_picture_in_a_blend_is_one_error_with_its_path(client: Client) -> None:
    by = {"blend": {"like": [RED, FILE]}}
    response = await with_files(client, by, blend__like__1__term__image=b"GIF?")
    [error] = response["errors"]
    assert "UNSUPPORTED_FORMAT" == error["extensions"]["code"]
    assert "by.blend.like.1.term.image" == error["extensions"]["argument"]
    assert response["data"] is None


def blend(like: object, unlike: object = ()) -> object:
    return {"blend": {"like": like, "unlike": unlike}}


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    ("by", "argument", "code"),
    [
        ({"text": ""}, "by.text", "BAD_USER_INPUT"),
        ({"text": " \n"}, "by.text", "BAD_USER_INPUT"),
        ({"text": "x" * 2_001}, "by.text", "BAD_USER_INPUT"),
        ({"imageId": "x"}, "by.imageId", "BAD_USER_INPUT"),
        ({"imageId": global_id(uuid7())}, "by.imageId", "NOT_FOUND"),
        ({"searchId": "x"}, "by.searchId", "BAD_USER_INPUT"),
        ({"searchId": str(uuid7())}, "by.searchId", "SEARCH_EXPIRED"),
        (blend([]), "by.blend.like", "BAD_USER_INPUT"),
        (blend([RED] * 11), "by.blend.like", "BAD_USER_INPUT"),
        (blend([], [RED]), "by.blend.like", "BAD_USER_INPUT"),
        (blend([RED], [BLUE] * 11), "by.blend.unlike", "BAD_USER_INPUT"),
        (blend([RED, {"term": {"text": ""}}]), "by.blend.like.1.term.text", "BAD_USER_INPUT"),
        (blend([RED], [{"term": {"text": "\0"}}]), "by.blend.unlike.0.term.text", "BAD_USER_INPUT"),
        (blend([{"term": {"imageId": "x"}}]), "by.blend.like.0.term.imageId", "BAD_USER_INPUT"),
        (
            blend([RED], [BLUE, {"term": {"imageId": global_id(uuid7())}}]),
            "by.blend.unlike.1.term.imageId",
            "NOT_FOUND",
        ),
        (blend([{**RED, "weight": 0}]), "by.blend.like.0.weight", "BAD_USER_INPUT"),
        (blend([RED, {**RED, "weight": -1.5}]), "by.blend.like.1.weight", "BAD_USER_INPUT"),
        (blend([{**RED, "weight": 101}]), "by.blend.like.0.weight", "BAD_USER_INPUT"),
        (blend([RED], [{**RED, "weight": 0.0}]), "by.blend.unlike.0.weight", "BAD_USER_INPUT"),
        (blend([RED], [{**RED, "weight": 1.5}]), "by.blend.unlike.0.weight", "BAD_USER_INPUT"),
        (blend([{**RED, "weight": 1e-46}]), "by.blend.like.0.weight", "BAD_USER_INPUT"),
    ],
)
async def test_an_invalid_query_is_one_error_with_its_path(
    client: Client, by: object, argument: str, code: str
) -> None:
    response = await client.ask(SEARCH, by=by)
    [error] = response["errors"]
    assert (code, argument) == (error["extensions"]["code"], error["extensions"]["argument"])
    assert response["data"] is None
    assert error["message"].endswith(".")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("bound", [-0.01, 1.5, 50, -1e300])
async def test_a_minimum_relevance_out_of_range_is_one_error_with_its_path(
    client: Client, bound: float
) -> None:
    response = await client.ask(SEARCH, by={"text": "red"}, minRelevance=bound)
    [error] = response["errors"]
    assert ("BAD_USER_INPUT", "minRelevance") == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )
    assert response["data"] is None


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"0.5"', "true"])
@pytest.mark.parametrize(
    "variables",
    [
        '{"by": {"text": "red"}, "minRelevance": NUMBER}',
        '{"by": {"blend": {"like": [{"term": {"text": "red"}, "weight": NUMBER}]}}}',
    ],
)
async def test_a_value_that_is_not_a_number_is_one_error(
    client: Client, number: str, variables: str
) -> None:
    body = f'{{"query": {json.dumps(SEARCH)}, "variables": {variables.replace("NUMBER", number)}}}'
    response = await client.http.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )
    [error] = response.json()["errors"]
    assert "data" not in response.json()
    assert "INTERNAL_SERVER_ERROR" not in response.text
    # NaN is not JSON. For other values, the message names the type.
    assert "JSON" in error["message"] or "Float" in error["message"]


@pytest.mark.usefixtures("ids")
async def test_a_null_argument_of_a_search_means_the_same_as_an_omitted_one(client: Client) -> None:
    by = {"blend": {"like": [RED], "unlike": None}}
    assert 1 == len((await found(client, by=by, minRelevance=None, after=None))["nodes"])


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    "other",
    [
        {"by": {"text": "red"}},
        {"by": {"blend": {"like": [RED]}}},
        {"by": {"blend": {"like": [RED], "unlike": [{**BLUE, "weight": 0.5}]}}},
        {"by": {"blend": {"like": [BLUE], "unlike": [RED]}}},
        {"minRelevance": 0.0},
        {"minRelevance": 0.2},
        {"collapse": "EXACT_COPIES"},
        {"exact": True},
    ],
)
async def test_a_cursor_of_another_search_is_one_error_with_its_path(
    client: Client, other: dict[str, Any]
) -> None:
    variables: dict[str, Any] = {
        "by": BLEND,
        "minRelevance": None,
        "collapse": "NONE",
        "exact": False,
    }
    cursor = (await found(client, **variables))["pageInfo"]["endCursor"]
    assert 1 == len((await found(client, **variables, after=cursor))["nodes"])
    response = await client.ask(SEARCH, **(variables | other), after=cursor)
    [error] = response["errors"]
    assert "after" == error["extensions"]["argument"]
    assert "belongs to another search" in error["message"]
    assert response["data"] is None


@pytest.mark.usefixtures("ids")
async def test_an_expired_search_is_one_error_with_its_path(
    client: Client, backend: FakeBackend
) -> None:
    page = await found(client, by=BLEND)
    cursor, kept = page["pageInfo"]["endCursor"], {"searchId": page["searchId"]}
    backend.clock.now += SEARCH_LIFETIME + timedelta(minutes=1)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("by.searchId", {"by": kept}),
        ("after", {"by": BLEND, "after": cursor}),
        ("after", {"by": kept, "after": cursor}),
        ("by.searchId", {"by": kept, "minRelevance": 0.5}),
    ]
    for argument, variables in cases:
        response = await client.ask(SEARCH, **variables)
        [error] = response["errors"]
        assert ("SEARCH_EXPIRED", argument) == (
            error["extensions"]["code"],
            error["extensions"]["argument"],
        )
        assert response["data"] is None


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("cursor", ["", "x", "WyJ4IiwgMV0", "bnVsbA", "\N{SNOWMAN}"])
async def test_a_malformed_cursor_is_one_error_with_its_path(client: Client, cursor: str) -> None:
    response = await client.ask(SEARCH, by=BLEND, after=cursor)
    [error] = response["errors"]
    assert ("BAD_USER_INPUT", "after") == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )
    assert response["data"] is None


@pytest.mark.parametrize(
    "term",
    [{}, {"text": "a", "imageId": "b"}, {"text": None}, {"image": "a.png"}, {"searchId": "x"}],
)
async def test_a_term_has_exactly_one_field(client: Client, term: object) -> None:
    response = await client.ask(SEARCH, by=blend([RED, {"term": term}]))
    assert "data" not in response
    assert "INTERNAL_SERVER_ERROR" not in str(response)
    assert 1 == len(response["errors"])
