"""``POST /uploads/{id}``: files sent to upload targets."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME
from graph.http.uploads import MAX_FIELD_BYTES, MAX_FIELDS, MAX_FORM_OVERHEAD_BYTES
from graph.schema.ids import UPLOAD_TARGET, uuid_of
from tests.graph.fake_server import MAX_BYTES, Client, FakeBackend, Serve
from tests.graph.test_upload_targets import announced, created

DATA = b"a file of twenty bytes"
ORIGIN = "https://gallery.example"


async def signed_form(client: Client, size: int = len(DATA)) -> tuple[str, dict[str, str]]:
    [target] = (await created(client, announced(b"x" * size)))["targets"]
    return target["url"], {field["name"]: field["value"] for field in target["fields"]}


def refusal(response: Any) -> tuple[int, str, str]:  # noqa: ANN401 - JSON
    [error] = response.json()["errors"]
    return response.status_code, error["extensions"]["code"], error["message"]


async def test_a_file_can_be_replaced_until_the_target_expires(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await signed_form(client)
    for data in (DATA, DATA[::-1]):
        response = await client.http.post(url, data=fields, files={"file": data})
        assert 204 == response.status_code
        assert [data] == list(backend.staging.files.values())
    backend.clock.now += TARGET_LIFETIME
    response = await client.http.post(url, data=fields, files={"file": DATA})
    expected = (403, "FORBIDDEN", "This upload target has expired; create a new one.")
    assert expected == refusal(response)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (DATA + b"!", 413, "REQUEST_ENTITY_TOO_LARGE"),
        (DATA * 40, 413, "REQUEST_ENTITY_TOO_LARGE"),
        (DATA[:-1], 400, "BAD_USER_INPUT"),
        (b"", 400, "BAD_USER_INPUT"),
    ],
)
async def test_a_file_of_another_size_than_announced_is_refused(
    data: bytes, status: int, *, code: str, client: Client, backend: FakeBackend
) -> None:
    url, fields = await signed_form(client)
    refused = refusal(await client.http.post(url, data=fields, files={"file": data}))
    assert (status, code) == refused[:2]
    assert "announced" in refused[2]
    assert {} == backend.staging.files


async def test_altered_and_missing_fields_and_those_of_another_target_are_refused(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await signed_form(client)
    other, _ = await signed_form(client)
    for address, form in (
        (url, fields | {"byteSize": "1"}),
        (url, fields | {"Content-Type": "image/jpeg"}),
        (url, fields | {"expires": "9999999999"}),
        (url, fields | {"signature": "0" * 64}),
        (url, {}),
        (other, fields),
        (f"/uploads/{uuid7()}", fields),
    ):
        response = await client.http.post(address, data=form, files={"file": DATA})
        status, code, message = refusal(response)
        assert (403, "FORBIDDEN") == (status, code)
        assert message.endswith(".")
    assert {} == backend.staging.files


@pytest.mark.parametrize("count", [MAX_FIELDS + 1, 1])
async def test_too_many_and_too_large_fields_are_refused(
    count: int, client: Client, backend: FakeBackend
) -> None:
    url, fields = await signed_form(client)
    more = {str(number): "x" * (MAX_FIELD_BYTES + 1) * (count == 1) for number in range(count)}
    response = await client.http.post(url, data=more | fields, files={"file": DATA})
    status, code, message = refusal(response)
    assert (400, "BAD_USER_INPUT") == (status, code)
    assert message.startswith("The multipart body cannot be read: ")
    assert {} == backend.staging.files


async def test_fields_after_the_file_are_ignored(client: Client, backend: FakeBackend) -> None:
    url, fields = await signed_form(client)
    late: dict[str, tuple[None, str]] = {name: (None, text) for name, text in fields.items()}
    response = await client.http.post(url, files={"file": ("a.png", DATA), **late})
    assert 403 == response.status_code
    assert "lacks the field “Content-Type”" in refusal(response)[2]
    assert {} == backend.staging.files


async def test_a_form_without_the_file_or_with_two_is_refused(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await signed_form(client)
    for files in (
        {"picture": DATA},
        {"file": (None, DATA)},
        [("file", DATA), ("file", DATA)],
    ):
        response = await client.http.post(url, data=fields, files=files)
        assert (400, "BAD_USER_INPUT") == refusal(response)[:2]
    assert {} == backend.staging.files


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("", b"", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x; charset=base64", b"--x--", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400),
    ],
)
async def test_a_body_that_is_not_a_form_is_refused(
    content_type: str, body: bytes, *, status: int, client: Client
) -> None:
    url, _ = await signed_form(client)
    response = await client.http.post(url, content=body, headers={"Content-Type": content_type})
    assert status == refusal(response)[0]


async def test_an_endless_body_is_refused_at_the_size_limit(
    client: Client, backend: FakeBackend
) -> None:
    url, _ = await signed_form(client)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            taken += 1024
            yield b"x" * 1024

    response = await client.http.post(
        url, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (413, "REQUEST_ENTITY_TOO_LARGE") == refusal(response)[:2]
    assert taken <= MAX_BYTES + MAX_FORM_OVERHEAD_BYTES + 2048
    assert {} == backend.staging.files


async def test_a_file_of_the_maximum_size_is_accepted(client: Client, backend: FakeBackend) -> None:
    url, fields = await signed_form(client, MAX_BYTES)
    response = await client.http.post(url, data=fields, files={"file": b"x" * MAX_BYTES})
    assert 204 == response.status_code
    assert [MAX_BYTES] == [len(data) for data in backend.staging.files.values()]


async def test_pages_of_a_listed_origin_may_send_files(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    url, fields = await signed_form(client)
    for form, status in ((fields, 204), ({}, 403)):
        response = await client.http.post(
            url, data=form, files={"file": DATA}, headers={"Origin": ORIGIN}
        )
        assert (status, ORIGIN) == (
            response.status_code,
            response.headers["Access-Control-Allow-Origin"],
        )


async def test_unknown_targets_and_other_methods_are_refused(client: Client) -> None:
    url, _ = await signed_form(client)
    assert (404, "NOT_FOUND") == refusal(await client.http.post("/uploads/nothing"))[:2]
    assert (405, "METHOD_NOT_ALLOWED") == refusal(await client.http.get(url))[:2]


async def test_the_url_of_a_target_contains_its_uuid(client: Client) -> None:
    [target] = (await created(client, announced()))["targets"]
    uuid = uuid_of(target["id"], location=("id",), kind=UPLOAD_TARGET)
    assert target["url"].endswith(f"/uploads/{uuid}")
