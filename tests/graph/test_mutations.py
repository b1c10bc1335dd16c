"""Changing the library over the API."""

# ruff: noqa: ANN401 - what a server answers is any JSON

from typing import Any

import pytest

from domain.entities.images import uuid7
from domain.entities.keys import Scope
from graph.schema.ids import global_id
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY, UPLOAD, multipart

UPDATE = """
    mutation ($input: UpdateImageInput!) {
      updateImage(input: $input) { image { altText } userErrors { field message code } }
    }
"""
TAG = """
    mutation ($ids: [ID!]!, $tags: [String!]!) {
      tagImages(input: {imageIds: $ids, tags: $tags}) {
        images { id tags } userErrors { field message code }
      }
    }
"""
UNTAG = TAG.replace("tagImages", "untagImages")
DELETE = """
    mutation ($ids: [ID!]!) {
      deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { field message code } }
    }
"""
NOBODY = global_id(uuid7())


@pytest.fixture
async def ids(client: Client) -> Any:
    payload = await client.upload(picture_file(), picture_file(words="two"))
    return [result["image"]["id"] for result in payload["results"]]


def faults(payload: Any) -> Any:
    return [(error["code"], error["field"]) for error in payload["userErrors"]]


async def test_one_refused_file_holds_up_no_other(client: Client) -> None:
    payload = await client.upload(
        picture_file(), b"no picture", picture_file(words="x" * 20_000), tags=("holiday",)
    )
    assert ["holiday"] == payload["results"][0]["image"]["tags"]
    assert [None, None] == payload["results"][1:]
    assert [
        ("UNSUPPORTED_FORMAT", ["input", "files", "1"]),
        ("TOO_LARGE", ["input", "files", "2"]),
    ] == faults(payload)


async def test_the_same_bytes_twice_are_one_image(client: Client) -> None:
    first = await client.upload(picture_file())
    again = await client.upload(picture_file(), names=("other.png",))
    assert [False, True] == [payload["results"][0]["isDuplicate"] for payload in (first, again)]
    assert first["results"][0]["image"] == again["results"][0]["image"]


async def test_a_file_may_stand_in_two_places_of_a_query(client: Client) -> None:
    answer = await client.http.post(
        "/graphql",
        headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
        **multipart(
            {"query": UPLOAD, "variables": {"files": [None, None]}},
            {"0": ["variables.files.0", "variables.files.1"]},
            {"0": ("twice.png", picture_file())},
        ),
    )
    results = answer.json()["data"]["uploadImages"]["results"]
    assert [False, True] == sorted(result["isDuplicate"] for result in results)


async def test_too_many_files_are_refused_before_any_is_read(
    client: Client, backend: FakeBackend
) -> None:
    payload = await client.upload(*[picture_file(words=str(n)) for n in range(6)])
    assert [None] * 6 == payload["results"]
    assert [("TOO_MANY_FILES", ["input", "files"])] == faults(payload)
    assert {} == backend.storage.objects


async def test_a_bad_tag_refuses_an_upload_and_names_the_tags(client: Client) -> None:
    payload = await client.upload(picture_file(), tags=("",))
    assert [("INVALID_CONTENT", ["input", "tags"])] == faults(payload)


async def test_an_overloaded_model_refuses_files_by_code(
    client: Client, backend: FakeBackend
) -> None:
    backend.encoder.overloaded = True
    payload = await client.upload(picture_file())
    assert [("OVERLOADED", ["input", "files", "0"])] == faults(payload)


@pytest.mark.parametrize("value", ["text", 1, {"a": 1}, [1], True])
async def test_nothing_but_a_file_is_an_upload(client: Client, value: object) -> None:
    answer = await client.ask(UPLOAD, key=KEY, files=[value])
    assert "An Upload is a file" in answer["errors"][0]["message"]


async def test_a_literal_is_no_upload(client: Client) -> None:
    query = 'mutation { uploadImages(input: {files: ["x"]}) { results { isDuplicate } } }'
    assert "An Upload is a file" in (await client.error(query, key=KEY))["message"]


async def test_an_alt_text_is_set_kept_and_removed(client: Client, ids: list[str]) -> None:
    one: dict[str, object] = {"id": ids[0]}
    changes: list[tuple[dict[str, object], str | None]] = [
        ({"altText": "A red square"}, "A red square"),
        ({}, "A red square"),
        ({"altText": None}, None),
    ]
    for change, expected in changes:
        data = await client.change(UPDATE, input=one | change)
        assert {"image": {"altText": expected}, "userErrors": []} == data["updateImage"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": NOBODY, "altText": "x"}, ("NOT_FOUND", ["input", "id"])),
        ({"id": NOBODY}, ("NOT_FOUND", ["input", "id"])),
        ({"id": "x"}, ("INVALID", ["input", "id"])),
    ],
)
async def test_an_update_of_nothing_is_a_user_error(
    client: Client, change: dict[str, object], fault: tuple[str, list[str]]
) -> None:
    payload = (await client.change(UPDATE, input=change))["updateImage"]
    assert payload["image"] is None
    assert [fault] == faults(payload)


async def test_an_alt_text_beyond_any_use_is_a_user_error(client: Client, ids: list[str]) -> None:
    change = {"id": ids[0], "altText": "x" * 3_000}
    payload = (await client.change(UPDATE, input=change))["updateImage"]
    assert [("INVALID", ["input", "altText"])] == faults(payload)


async def test_tags_go_on_and_off_those_that_are_here(client: Client, ids: list[str]) -> None:
    named = [ids[0], NOBODY, ids[0], ids[1]]
    tagged = (await client.change(TAG, ids=named, tags=["b", " a "]))["tagImages"]
    assert [ids[0], ids[1]] == [image["id"] for image in tagged["images"]]
    assert ["a", "b"] == tagged["images"][0]["tags"]
    assert [("NOT_FOUND", ["input", "imageIds", "1"])] == faults(tagged)
    left = (await client.change(UNTAG, ids=[ids[0]], tags=["a"]))["untagImages"]
    assert [{"id": ids[0], "tags": ["b"]}] == left["images"]


async def test_a_bad_tag_changes_nothing(client: Client, ids: list[str]) -> None:
    payload = (await client.change(TAG, ids=ids, tags=["x" * 100]))["tagImages"]
    assert [] == payload["images"]
    assert [("INVALID", ["input", "tags"])] == faults(payload)


async def test_deleting_leaves_nothing_and_names_what_was_not_there(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    payload = (await client.change(DELETE, ids=[ids[1], NOBODY, ids[0]]))["deleteImages"]
    assert [ids[1], ids[0]] == payload["deletedImageIds"]
    assert [("NOT_FOUND", ["input", "ids", "1"])] == faults(payload)
    assert {} == backend.storage.objects


@pytest.mark.parametrize("wrong", [["x"], [NOBODY] * 1_001])
async def test_wrong_ids_delete_nothing(client: Client, ids: list[str], wrong: list[str]) -> None:
    payload = (await client.change(DELETE, ids=[ids[0], *wrong]))["deleteImages"]
    assert [] == payload["deletedImageIds"]
    assert "INVALID" == payload["userErrors"][0]["code"]


async def test_a_change_needs_a_key(client: Client) -> None:
    answer = await client.ask(DELETE, ids=[NOBODY])
    assert {"deleteImages": None} == answer["data"]
    assert "UNAUTHENTICATED" == answer["errors"][0]["extensions"]["code"]


async def test_a_key_for_reading_changes_nothing(client: Client, backend: FakeBackend) -> None:
    secret, _ = await backend.use_cases().issue_key("reader", [Scope.READ])
    error = await client.error(DELETE, key=secret, ids=[NOBODY])
    assert "FORBIDDEN" == error["extensions"]["code"]
    assert "WRITE" in error["message"]


async def test_a_wrong_key_is_refused_even_where_none_is_needed(client: Client) -> None:
    for header in ("Bearer wrong", "Basic abc", "Bearer "):
        answer = await client.http.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": header}
        )
        assert 401 == answer.status_code
        assert "Bearer" == answer.headers["WWW-Authenticate"]
        assert "UNAUTHENTICATED" == answer.json()["errors"][0]["extensions"]["code"]


async def test_closed_reading_needs_a_key_and_still_tells_its_schema(serve: Serve) -> None:
    client = serve(public_reading=False)
    for query in (
        "{ images { totalCount } }",
        "{ service { version } }",
        f'{{ node(id: "{NOBODY}") {{ id }} }}',
    ):
        assert "UNAUTHENTICATED" == (await client.error(query))["extensions"]["code"]
        assert "errors" not in await client.ask(query, key=KEY)
    assert "errors" not in await client.ask("{ __schema { queryType { name } } }")
