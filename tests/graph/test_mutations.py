"""Mutations: uploads, updates, tags and deletion."""

# ruff: noqa: ANN401 - a response is any JSON

from typing import Any

import pytest

from domain.entities.images import uuid7
from domain.entities.keys import Scope
from graph.schema.ids import global_id
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY, UPLOAD, multipart, upload_form

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
TRASH = "{ images(filter: {deleted: true}) { totalCount nodes { id deletedAt } } }"
RESTORE = """
mutation ($ids: [ID!]!) {
  restoreImages(input: {ids: $ids}) {
    images { id deletedAt } userErrors { field message code }
  }
}
"""
DELETE = """
    mutation ($ids: [ID!]!) {
      deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { field message code } }
    }
"""
UNKNOWN_ID = global_id(uuid7())


@pytest.fixture
async def ids(client: Client) -> Any:
    payload = await client.upload(picture_file(), picture_file(words="two"))
    return [result["image"]["id"] for result in payload["results"]]


def errors_of(payload: Any) -> Any:
    return [(error["code"], error["field"]) for error in payload["userErrors"]]


async def test_a_refused_file_does_not_affect_others(client: Client) -> None:
    payload = await client.upload(
        picture_file(), b"no picture", picture_file(words="x" * 20_000), tags=("holiday",)
    )
    assert ["holiday"] == payload["results"][0]["image"]["tags"]
    assert [None, None] == payload["results"][1:]
    assert [
        ("UNSUPPORTED_FORMAT", ["input", "files", "1"]),
        ("TOO_LARGE", ["input", "files", "2"]),
    ] == errors_of(payload)


async def test_the_same_bytes_twice_are_one_image(client: Client) -> None:
    first = await client.upload(picture_file())
    again = await client.upload(picture_file(), names=("other.png",))
    assert [False, True] == [payload["results"][0]["isDuplicate"] for payload in (first, again)]
    assert first["results"][0]["image"] == again["results"][0]["image"]


async def test_a_file_can_be_used_by_two_variables(client: Client) -> None:
    response = await client.http.post(
        "/graphql",
        headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
        **multipart(
            {"query": UPLOAD, "variables": {"files": [None, None]}},
            {"0": ["variables.files.0", "variables.files.1"]},
            {"0": ("twice.png", picture_file())},
        ),
    )
    results = response.json()["data"]["uploadImages"]["results"]
    assert [False, True] == sorted(result["isDuplicate"] for result in results)


async def test_too_many_files_are_refused_before_any_is_read(
    client: Client, backend: FakeBackend
) -> None:
    payload = await client.upload(*[picture_file(words=str(n)) for n in range(6)])
    assert [None] * 6 == payload["results"]
    assert [("TOO_MANY_FILES", ["input", "files"])] == errors_of(payload)
    assert {} == backend.storage.objects


async def test_an_invalid_tag_refuses_the_upload_with_its_path(client: Client) -> None:
    payload = await client.upload(picture_file(), tags=("",))
    assert [("INVALID_CONTENT", ["input", "tags"])] == errors_of(payload)


async def test_an_overloaded_model_refuses_files_with_a_code(
    client: Client, backend: FakeBackend
) -> None:
    backend.encoder.overloaded = True
    payload = await client.upload(picture_file())
    assert [("OVERLOADED", ["input", "files", "0"])] == errors_of(payload)


@pytest.mark.parametrize("value", ["text", 1, {"a": 1}, [1], True])
async def test_an_upload_variable_must_be_a_file(client: Client, value: object) -> None:
    response = await client.ask(UPLOAD, key=KEY, files=[value])
    assert "An Upload is a file" in response["errors"][0]["message"]


async def test_a_literal_is_not_an_upload(client: Client) -> None:
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
    ("change", "expected"),
    [
        ({"id": UNKNOWN_ID, "altText": "x"}, ("NOT_FOUND", ["input", "id"])),
        ({"id": UNKNOWN_ID}, ("NOT_FOUND", ["input", "id"])),
        ({"id": "x"}, ("INVALID", ["input", "id"])),
    ],
)
async def test_an_update_of_an_unknown_image_is_a_user_error(
    client: Client, change: dict[str, object], expected: tuple[str, list[str]]
) -> None:
    payload = (await client.change(UPDATE, input=change))["updateImage"]
    assert payload["image"] is None
    assert [expected] == errors_of(payload)


async def test_a_rating_is_set_kept_and_removed(client: Client, ids: list[str]) -> None:
    update = """mutation($input: UpdateImageInput!) {
      updateImage(input: $input) { image { rating altText } userErrors { field message code } }
    }"""
    for change, rating, alt_text in (
        ({"rating": 4}, 4, None),
        ({"altText": "A red square"}, 4, "A red square"),
        ({}, 4, "A red square"),
        ({"rating": None}, None, "A red square"),
    ):
        data = await client.change(update, input={"id": ids[0], **change})
        image = {"rating": rating, "altText": alt_text}
        assert {"image": image, "userErrors": []} == data["updateImage"]
    data = await client.change(update, input={"id": ids[0], "rating": 6})
    [error] = data["updateImage"]["userErrors"]
    assert ("INVALID", ["input", "rating"]) == (error["code"], error["field"])
    assert "The rating is 6; it may be 1 to 5." == error["message"]


async def test_an_alt_text_that_is_too_long_is_a_user_error(client: Client, ids: list[str]) -> None:
    change = {"id": ids[0], "altText": "x" * 3_000}
    payload = (await client.change(UPDATE, input=change))["updateImage"]
    assert [("INVALID", ["input", "altText"])] == errors_of(payload)


async def test_tags_are_added_to_and_removed_from_existing_images(
    client: Client, ids: list[str]
) -> None:
    named = [ids[0], UNKNOWN_ID, ids[0], ids[1]]
    tagged = (await client.change(TAG, ids=named, tags=["b", " a "]))["tagImages"]
    assert [ids[0], ids[1]] == [image["id"] for image in tagged["images"]]
    assert ["a", "b"] == tagged["images"][0]["tags"]
    assert [("NOT_FOUND", ["input", "imageIds", "1"])] == errors_of(tagged)
    left = (await client.change(UNTAG, ids=[ids[0]], tags=["a"]))["untagImages"]
    assert [{"id": ids[0], "tags": ["b"]}] == left["images"]


async def test_an_invalid_tag_changes_nothing(client: Client, ids: list[str]) -> None:
    payload = (await client.change(TAG, ids=ids, tags=["x" * 100]))["tagImages"]
    assert [] == payload["images"]
    assert [("INVALID", ["input", "tags"])] == errors_of(payload)


async def test_deleting_keeps_the_files_for_a_restoration_and_reports_unknown_ids(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    before = dict(backend.storage.objects)
    payload = (await client.change(DELETE, ids=[ids[1], UNKNOWN_ID, ids[0]]))["deleteImages"]
    assert [ids[1], ids[0]] == payload["deletedImageIds"]
    assert [("NOT_FOUND", ["input", "ids", "1"])] == errors_of(payload)
    assert before == backend.storage.objects


async def test_deleted_images_are_restored_and_others_are_reported(
    client: Client, ids: list[str]
) -> None:
    await client.change(DELETE, ids=ids[:1])
    payload = (await client.change(RESTORE, ids=[ids[1], ids[0]]))["restoreImages"]
    assert [{"id": ids[0], "deletedAt": None}] == payload["images"]
    assert [("NOT_FOUND", ["input", "ids", "0"])] == errors_of(payload)
    assert (
        f"There is no image {ids[1]} in the trash; it may have been restored already, or deleted "
        "for good." == payload["userErrors"][0]["message"]
    )
    wrong = (await client.change(RESTORE, ids=["x"]))["restoreImages"]
    assert ([], "INVALID") == (wrong["images"], wrong["userErrors"][0]["code"])


async def test_the_trash_is_listed_for_keys_that_may_write(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    await client.change(DELETE, ids=ids[:1])
    assert [ids[0]] == [node["id"] for node in await trashed(client, key=KEY)]
    assert all(node["deletedAt"] for node in await trashed(client, key=KEY))
    assert "UNAUTHENTICATED" == (await client.error(TRASH, key=None))["extensions"]["code"]
    secret, _ = await backend.use_cases().issue_key("reader", [Scope.READ])
    assert "FORBIDDEN" == (await client.error(TRASH, key=secret))["extensions"]["code"]
    query = '{ searchImages(by: {text: "red"}, filter: {deleted: true}) { searchId } }'
    error = await client.error(query, key=KEY)
    assert "filter.deleted" == error["extensions"]["argument"]
    assert "Deleted images cannot be searched" in error["message"]


async def trashed(client: Client, key: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = (await client.data(TRASH, key=key))["images"]["nodes"]
    return nodes


@pytest.mark.parametrize("wrong", [["x"], [UNKNOWN_ID] * 1_001])
async def test_invalid_ids_delete_nothing(client: Client, ids: list[str], wrong: list[str]) -> None:
    payload = (await client.change(DELETE, ids=[ids[0], *wrong]))["deleteImages"]
    assert [] == payload["deletedImageIds"]
    assert "INVALID" == payload["userErrors"][0]["code"]


async def test_a_mutation_needs_a_key(client: Client) -> None:
    response = await client.ask(DELETE, ids=[UNKNOWN_ID])
    assert {"deleteImages": None} == response["data"]
    assert "UNAUTHENTICATED" == response["errors"][0]["extensions"]["code"]


async def test_a_mutation_needs_the_scope_write(client: Client, backend: FakeBackend) -> None:
    secret, _ = await backend.use_cases().issue_key("reader", [Scope.READ])
    error = await client.error(DELETE, key=secret, ids=[UNKNOWN_ID])
    assert "FORBIDDEN" == error["extensions"]["code"]
    assert "WRITE" in error["message"]


async def test_an_invalid_key_is_refused_even_when_none_is_needed(client: Client) -> None:
    for header in ("Bearer wrong", "bearer  wrong ", KEY):
        response = await client.http.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": header}
        )
        assert 401 == response.status_code
        assert "Bearer" == response.headers["WWW-Authenticate"]
        assert "UNAUTHENTICATED" == response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("header", ["Basic bWU6c2VjcmV0", "Negotiate x", "Bearer ", "Bearer", ""])
async def test_a_credential_that_is_not_for_this_server_is_no_key(
    serve: Serve, header: str
) -> None:
    sent = {"Authorization": header}
    query = {"query": "{ service { version } }"}
    answer = await serve().http.post("/graphql", json=query, headers=sent)
    assert {"data": {"service": {"version": "1.2.3"}}} == answer.json()
    picture = await serve().http.get(f"/images/{uuid7()}/original", headers=sent)
    assert 404 == picture.status_code
    private = await serve(public_reading=False).http.post("/graphql", json=query, headers=sent)
    [error] = private.json()["errors"]
    assert "UNAUTHENTICATED" == error["extensions"]["code"]
    assert "Authorization: Bearer <key>" in error["message"]


async def test_without_public_reading_queries_need_a_key_but_introspection_does_not(
    serve: Serve,
) -> None:
    client = serve(public_reading=False)
    for query in (
        "{ images { totalCount } }",
        "{ service { version } }",
        f'{{ node(id: "{UNKNOWN_ID}") {{ id }} }}',
    ):
        assert "UNAUTHENTICATED" == (await client.error(query))["extensions"]["code"]
        assert "errors" not in await client.ask(query, key=KEY)
    assert "errors" not in await client.ask("{ __schema { queryType { name } } }")


async def test_an_upload_says_what_it_changed_of_an_image_that_was_there(client: Client) -> None:
    query = UPLOAD.replace("isDuplicate", "isDuplicate addedTags wasRestored")
    assert query != UPLOAD

    async def uploaded(*tags: str) -> Any:
        response = await client.http.post(
            "/graphql",
            headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
            **upload_form({"a.png": picture_file()}, tags=tags, query=query),
        )
        [result] = response.json()["data"]["uploadImages"]["results"]
        return result

    def said(result: Any) -> tuple[bool, list[str], bool]:
        return result["isDuplicate"], result["addedTags"], result["wasRestored"]

    first = await uploaded("sea")
    assert (False, ["sea"], False) == said(first)
    times = "query ($id: ID!) { image(id: $id) { createdAt updatedAt } }"
    before = (await client.data(times, id=first["image"]["id"]))["image"]
    assert before["createdAt"] == before["updatedAt"]
    assert (True, ["boat"], False) == said(await uploaded("sea", "boat"))
    after = (await client.data(times, id=first["image"]["id"]))["image"]
    assert after["updatedAt"] != after["createdAt"] == before["createdAt"]
    assert (True, [], False) == said(await uploaded("sea"))
    await client.change(DELETE, ids=[first["image"]["id"]])
    assert (True, [], True) == said(await uploaded())
