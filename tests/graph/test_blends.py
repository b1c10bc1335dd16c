"""Blends over the API, and every question that makes no sense."""

# ruff: noqa: ANN401 - what a server answers is any JSON

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
    """Search with files at the places in ``by`` that are named with __ for dots."""
    places = {name: [f"variables.by.{name.replace('__', '.')}"] for name in files}
    answer = await client.http.post(
        "/graphql",
        headers={"GraphQL-Require-Preflight": "1"},
        **multipart(
            {"query": SEARCH, "variables": {"by": by}},
            places,
            {name: (f"{name}.png", data) for name, data in files.items()},
        ),
    )
    return answer.json()


async def test_a_blend_of_texts_images_and_weights_finds_what_is_between(
    client: Client, ids: dict[str, str]
) -> None:
    like: list[Any] = [RED, {"term": {"imageId": ids["blue"]}, "weight": 1}]
    assert [{"filename": "purple"}] == (await found(client, by={"blend": {"like": like}}))["nodes"]
    like[1]["weight"] = 0.01
    assert [{"filename": "red"}] == (await found(client, by={"blend": {"like": like}}))["nodes"]


@pytest.mark.usefixtures("ids")
async def test_what_is_unlike_is_left_out(client: Client) -> None:
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
    answer = await with_files(
        client,
        by,
        blend__like__1__term__image=picture_file(COLOURS["blue"]),
        blend__unlike__0__term__image=picture_file(COLOURS["green"]),
    )
    page = answer["data"]["searchImages"]
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


async def test_a_file_of_a_blend_that_is_no_picture_is_one_error_by_name(client: Client) -> None:
    by = {"blend": {"like": [RED, FILE]}}
    answer = await with_files(client, by, blend__like__1__term__image=b"GIF?")
    [error] = answer["errors"]
    assert "UNSUPPORTED_FORMAT" == error["extensions"]["code"]
    assert "by.blend.like.1.term.image" == error["extensions"]["argument"]
    assert answer["data"] is None


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
async def test_a_question_that_makes_no_sense_is_one_error_by_name(
    client: Client, by: object, argument: str, code: str
) -> None:
    answer = await client.ask(SEARCH, by=by)
    [error] = answer["errors"]
    assert (code, argument) == (error["extensions"]["code"], error["extensions"]["argument"])
    assert answer["data"] is None
    assert error["message"].endswith(".")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("bound", [-0.01, 1.5, 50, -1e300])
async def test_a_relevance_out_of_bounds_is_one_error_by_name(client: Client, bound: float) -> None:
    answer = await client.ask(SEARCH, by={"text": "red"}, minRelevance=bound)
    [error] = answer["errors"]
    assert ("BAD_USER_INPUT", "minRelevance") == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )
    assert answer["data"] is None


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"0.5"', "true"])
@pytest.mark.parametrize(
    "variables",
    [
        '{"by": {"text": "red"}, "minRelevance": NUMBER}',
        '{"by": {"blend": {"like": [{"term": {"text": "red"}, "weight": NUMBER}]}}}',
    ],
)
async def test_what_is_no_number_is_one_error(client: Client, number: str, variables: str) -> None:
    body = f'{{"query": {json.dumps(SEARCH)}, "variables": {variables.replace("NUMBER", number)}}}'
    answer = await client.http.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )
    [error] = answer.json()["errors"]
    assert "data" not in answer.json()
    assert "INTERNAL_SERVER_ERROR" not in answer.text
    # In JSON, not-a-number is not JSON; elsewhere, the message says where it stands.
    assert "JSON" in error["message"] or "Float" in error["message"]


@pytest.mark.usefixtures("ids")
async def test_nulls_are_as_if_left_out(client: Client) -> None:
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
async def test_a_cursor_of_another_search_is_one_error_by_name(
    client: Client, other: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {
        "by": BLEND,
        "minRelevance": None,
        "collapse": "NONE",
        "exact": False,
    }
    cursor = (await found(client, **asked))["pageInfo"]["endCursor"]
    assert 1 == len((await found(client, **asked, after=cursor))["nodes"])
    answer = await client.ask(SEARCH, **(asked | other), after=cursor)
    [error] = answer["errors"]
    assert "after" == error["extensions"]["argument"]
    assert "belongs to another search" in error["message"]
    assert answer["data"] is None


@pytest.mark.usefixtures("ids")
async def test_what_has_expired_is_one_error_by_name(client: Client, backend: FakeBackend) -> None:
    page = await found(client, by=BLEND)
    cursor, kept = page["pageInfo"]["endCursor"], {"searchId": page["searchId"]}
    backend.clock.now += SEARCH_LIFETIME + timedelta(minutes=1)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("by.searchId", {"by": kept}),
        ("after", {"by": BLEND, "after": cursor}),
        ("after", {"by": kept, "after": cursor}),
        ("by.searchId", {"by": kept, "minRelevance": 0.5}),
    ]
    for argument, asked in cases:
        answer = await client.ask(SEARCH, **asked)
        [error] = answer["errors"]
        assert ("SEARCH_EXPIRED", argument) == (
            error["extensions"]["code"],
            error["extensions"]["argument"],
        )
        assert answer["data"] is None


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("cursor", ["", "x", "WyJ4IiwgMV0", "bnVsbA", "\N{SNOWMAN}"])
async def test_a_cursor_that_is_none_is_one_error_by_name(client: Client, cursor: str) -> None:
    answer = await client.ask(SEARCH, by=BLEND, after=cursor)
    [error] = answer["errors"]
    assert ("BAD_USER_INPUT", "after") == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )
    assert answer["data"] is None


@pytest.mark.parametrize(
    "term",
    [{}, {"text": "a", "imageId": "b"}, {"text": None}, {"image": "a.png"}, {"searchId": "x"}],
)
async def test_a_term_is_exactly_one_thing(client: Client, term: object) -> None:
    answer = await client.ask(SEARCH, by=blend([RED, {"term": term}]))
    assert "data" not in answer
    assert "INTERNAL_SERVER_ERROR" not in str(answer)
    assert 1 == len(answer["errors"])
