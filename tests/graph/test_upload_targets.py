"""Upload targets: files that clients send outside of GraphQL."""

import base64
import hashlib
from typing import Any

import pytest

from domain.entities.images import uuid7
from domain.entities.keys import Scope
from graph.schema.ids import UPLOAD_TARGET, global_id, uuid_of
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import MAX_BYTES, Client, FakeBackend
from tests.graph.multipart_requests import KEY

DATA = picture_file()
CREATE = """
    mutation ($files: [UploadTargetInput!]!) {
      createUploadTargets(input: {files: $files}) {
        targets { id existing { id filename } url fields { name value } expiresAt }
        userErrors { field message code }
      }
    }
"""
COMPLETE = """
    mutation ($ids: [ID!]!, $tags: [String!]) {
      completeUploads(input: {targetIds: $ids, tags: $tags}) {
        results { isDuplicate image { id filename status contentType width tags sha256 } }
        userErrors { field message code }
      }
    }
"""


def announced(data: bytes = DATA, **more: object) -> dict[str, object]:
    return {"filename": "a.png", "contentType": "image/png", "byteSize": len(data), **more}


async def created(client: Client, *files: dict[str, object]) -> Any:  # noqa: ANN401 - JSON
    return (await client.change(CREATE, files=list(files)))["createUploadTargets"]


async def completed(client: Client, *ids: str, tags: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    return (await client.change(COMPLETE, ids=list(ids), tags=list(tags)))["completeUploads"]


async def sent(client: Client, data: bytes = DATA) -> str:
    """Send a file as its target says, and return the target's id."""
    [target] = (await created(client, announced(data)))["targets"]
    fields = {field["name"]: field["value"] for field in target["fields"]}
    response = await client.http.post(target["url"], data=fields, files={"file": ("blob", data)})
    assert (204, b"") == (response.status_code, response.content)
    return str(target["id"])


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 5_000_000_000])
async def test_a_file_of_gigabytes_is_refused_alone(client: Client, size: int) -> None:
    payload = await created(client, announced(), announced(byteSize=size), announced(b"other"))
    assert [False, True, False] == [target is None for target in payload["targets"]]
    [error] = payload["userErrors"]
    assert ("TOO_LARGE", ["input", "files", "1"]) == (error["code"], error["field"])
    assert f"{size:,}" in error["message"]
    literal = f"""mutation {{ createUploadTargets(input: {{files: [
        {{filename: "a.png", contentType: "image/png", byteSize: {size}}}
    ]}}) {{ userErrors {{ code }} }} }}"""
    payload = (await client.change(literal))["createUploadTargets"]
    assert [{"code": "TOO_LARGE"}] == payload["userErrors"]


async def test_a_completed_upload_is_ready_after_indexing(
    client: Client, backend: FakeBackend
) -> None:
    target_id = await sent(client)
    payload = await completed(client, target_id, tags=("sea",))
    [result] = payload["results"]
    assert [] == payload["userErrors"]
    image = result["image"]
    assert {
        "id": image["id"],
        "filename": "a.png",
        "status": "PROCESSING",
        "contentType": "image/png",
        "width": None,
        "tags": ["sea"],
        "sha256": hashlib.sha256(DATA).hexdigest(),
    } == image
    assert not result["isDuplicate"]
    assert [1] == [ended async for ended in backend.use_cases().index()]
    [again] = (await completed(client, target_id))["results"]
    assert (False, "READY", 8) == (
        again["isDuplicate"],
        again["image"]["status"],
        again["image"]["width"],
    )


async def test_a_variant_that_is_not_made_yet_has_no_available_url_and_answers_503(
    client: Client, backend: FakeBackend
) -> None:
    [result] = (await completed(client, await sent(client)))["results"]
    query = """query ($id: ID!) { image(id: $id) {
        url(variant: THUMBNAIL) original: availableUrl
        thumbnail: availableUrl(variant: THUMBNAIL) large: availableUrl(variant: LARGE)
    } }"""
    image = (await client.data(query, id=result["image"]["id"]))["image"]
    assert (None, None) == (image["thumbnail"], image["large"])
    assert 200 == (await client.http.get(image["original"])).status_code
    for method in ("GET", "HEAD"):
        response = await client.http.request(method, image["url"])
        assert (503, "5") == (response.status_code, response.headers["Retry-After"])
        assert "no-store" == response.headers["Cache-Control"]
    large = await client.http.get(image["url"].replace("thumbnail", "large"))
    [error] = large.json()["errors"]
    assert "IMAGE_PROCESSING" == error["extensions"]["code"]
    assert "LARGE of image" in error["message"]

    assert [1] == [ended async for ended in backend.use_cases().index()]
    image = (await client.data(query, id=result["image"]["id"]))["image"]
    assert image["url"] == image["thumbnail"]
    for url in (image["thumbnail"], image["large"]):
        assert 200 == (await client.http.get(url)).status_code


async def test_a_target_has_a_url_and_an_expiry_time(client: Client, backend: FakeBackend) -> None:
    payload = await created(client, announced(), announced(sha256="0" * 64))
    assert [] == payload["userErrors"]
    first, second = payload["targets"]
    uuid = uuid_of(first["id"], location=("id",), kind=UPLOAD_TARGET)
    assert f"http://pictures.test/uploads/{uuid}" == first["url"]
    assert first["existing"] is None
    expires_at = backend.targets.kept[uuid].expires_at
    assert expires_at.isoformat(timespec="milliseconds") == first["expiresAt"]
    assert first["id"] != second["id"]


async def test_a_file_that_the_library_has_need_not_be_sent(client: Client) -> None:
    [known] = (await client.upload(DATA, names=("sea.png",)))["results"]
    sha256 = hashlib.sha256(DATA).hexdigest()
    [target] = (await created(client, announced(sha256=sha256)))["targets"]
    assert {"id": known["image"]["id"], "filename": "sea.png"} == target["existing"]
    assert (None, []) == (target["url"], target["fields"])
    [result] = (await completed(client, target["id"]))["results"]
    assert (True, known["image"]["id"]) == (result["isDuplicate"], result["image"]["id"])


async def test_each_refused_file_is_null_and_a_user_error(client: Client) -> None:
    payload = await created(
        client,
        announced(),
        announced(byteSize=MAX_BYTES + 1),
        announced(contentType="text/html"),
        announced(sha256="no"),
    )
    assert [True, False, False, False] == [target is not None for target in payload["targets"]]
    assert [
        (["input", "files", "1"], "TOO_LARGE"),
        (["input", "files", "2"], "UNSUPPORTED_FORMAT"),
        (["input", "files", "3", "sha256"], "INVALID_CONTENT"),
    ] == [(error["field"], error["code"]) for error in payload["userErrors"]]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "image/png"),
        ("application/octet-stream", "image/png"),
        ("image/x-png", "image/png"),
        ("image/heif", "image/heic"),
        ("image/png; charset=binary", "image/png"),
    ],
)
async def test_a_file_of_any_type_that_browsers_say_can_be_sent(
    client: Client, said: str, expected: str
) -> None:
    payload = await created(client, announced(contentType=said))
    assert [] == payload["userErrors"]
    [target] = payload["targets"]
    fields = {field["name"]: field["value"] for field in target["fields"]}
    assert expected == fields["Content-Type"]
    # The browser says its own type of the file's part.
    file = ("IMG_1.HEIC", DATA, said or "application/octet-stream")
    response = await client.http.post(target["url"], data=fields, files={"file": file})
    assert 204 == response.status_code
    [result] = (await completed(client, target["id"]))["results"]
    assert "image/png" == result["image"]["contentType"]


async def test_more_than_100_targets_are_refused(client: Client) -> None:
    payload = await created(client, *[announced()] * 101)
    assert [None] * 101 == payload["targets"]
    [error] = payload["userErrors"]
    assert (["input", "files"], "TOO_MANY_FILES") == (error["field"], error["code"])
    payload = await completed(client, *[global_id(uuid7(), UPLOAD_TARGET)] * 101)
    [error] = payload["userErrors"]
    assert (["input", "targetIds"], "TOO_MANY_FILES") == (error["field"], error["code"])


async def test_an_invalid_target_does_not_affect_others(client: Client) -> None:
    good = await sent(client)
    [unsent] = (await created(client, announced()))["targets"]
    unknown = global_id(uuid7(), UPLOAD_TARGET)
    payload = await completed(client, "nonsense", good, unsent["id"], unknown, global_id(uuid7()))
    assert [False, True, False, False, False] == [one is not None for one in payload["results"]]
    errors = payload["userErrors"]
    assert {"TARGET_NOT_FOUND"} == {error["code"] for error in errors}
    assert ["0", "2", "3", "4"] == [error["field"][2] for error in errors]
    for error, words in zip(
        errors,
        (
            "is not the id of an upload target",
            "No file was sent",
            "no such upload target",
            "is not the id of",
        ),
        strict=True,
    ):
        assert words in error["message"]


async def test_a_target_can_be_completed_after_a_completion_that_came_too_early(
    client: Client,
) -> None:
    [target] = (await created(client, announced()))["targets"]
    assert "TARGET_NOT_FOUND" == (await completed(client, target["id"]))["userErrors"][0]["code"]
    fields = {field["name"]: field["value"] for field in target["fields"]}
    await client.http.post(target["url"], data=fields, files={"file": DATA})
    payload = await completed(client, target["id"])
    assert ([], "a.png") == (payload["userErrors"], payload["results"][0]["image"]["filename"])


async def test_a_file_that_is_not_a_picture_is_refused_on_completion(client: Client) -> None:
    payload = await completed(client, await sent(client, b"no picture"))
    [error] = payload["userErrors"]
    assert ([None], "UNSUPPORTED_FORMAT") == (payload["results"], error["code"])
    assert ["input", "targetIds", "0"] == error["field"]


async def test_invalid_tags_refuse_the_whole_completion(client: Client) -> None:
    payload = await completed(client, await sent(client), tags=("\n\0",))
    [error] = payload["userErrors"]
    assert ([None], ["input", "tags"]) == (payload["results"], error["field"])


async def test_a_deleted_image_also_removes_its_upload_target(
    client: Client, backend: FakeBackend
) -> None:
    target_id = await sent(client)
    [result] = (await completed(client, target_id))["results"]
    await client.change(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }",
        ids=[result["image"]["id"]],
    )
    payload = await completed(client, target_id)
    assert "TARGET_NOT_FOUND" == payload["userErrors"][0]["code"]
    assert {} == backend.staging.files
    # The image can be restored.
    assert {} != backend.storage.objects


@pytest.mark.parametrize(
    ("query", "variables"), [(CREATE, {"files": [announced()]}), (COMPLETE, {"ids": []})]
)
async def test_upload_targets_need_the_scope_write(
    client: Client, backend: FakeBackend, *, query: str, variables: dict[str, Any]
) -> None:
    reading, _ = await backend.use_cases().issue_key("reader", [Scope.READ])
    assert "UNAUTHENTICATED" == (await client.error(query, **variables))["extensions"]["code"]
    refused = await client.error(query, key=reading, **variables)
    assert "FORBIDDEN" == refused["extensions"]["code"]
    writing, _ = await backend.use_cases().issue_key("writer", [Scope.WRITE])
    assert await client.data(query, key=writing, **variables)


async def test_the_id_of_a_target_is_not_the_id_of_an_image(client: Client) -> None:
    [target] = (await created(client, announced()))["targets"]
    assert base64.b64decode(target["id"]).startswith(b"UploadTarget:")
    refused = await client.error("query ($id: ID!) { image(id: $id) { id } }", id=target["id"])
    assert "BAD_USER_INPUT" == refused["extensions"]["code"]
    assert KEY not in target["url"]
