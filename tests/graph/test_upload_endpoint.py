"""The route that takes the bytes of upload targets."""

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


async def slot(client: Client, size: int = len(DATA)) -> tuple[str, dict[str, str]]:
    [target] = (await created(client, announced(b"x" * size)))["targets"]
    return target["url"], {field["name"]: field["value"] for field in target["fields"]}


def refusal(answer: Any) -> tuple[int, str, str]:  # noqa: ANN401 - JSON
    [error] = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"], error["message"]


async def test_a_file_may_be_sent_again_until_the_target_expires(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await slot(client)
    for data in (DATA, DATA[::-1]):
        answer = await client.http.post(url, data=fields, files={"file": data})
        assert 204 == answer.status_code
        assert [data] == list(backend.staging.files.values())
    backend.clock.now += TARGET_LIFETIME
    answer = await client.http.post(url, data=fields, files={"file": DATA})
    expected = (403, "FORBIDDEN", "This upload target has expired; create a new one.")
    assert expected == refusal(answer)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (DATA + b"!", 413, "REQUEST_ENTITY_TOO_LARGE"),
        (DATA * 40, 413, "REQUEST_ENTITY_TOO_LARGE"),
        (DATA[:-1], 400, "BAD_USER_INPUT"),
        (b"", 400, "BAD_USER_INPUT"),
    ],
)
async def test_another_size_than_announced_is_refused(
    data: bytes, status: int, *, code: str, client: Client, backend: FakeBackend
) -> None:
    url, fields = await slot(client)
    found = refusal(await client.http.post(url, data=fields, files={"file": data}))
    assert (status, code) == found[:2]
    assert "announced" in found[2]
    assert {} == backend.staging.files


async def test_altered_missing_and_foreign_fields_are_refused(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await slot(client)
    other, _ = await slot(client)
    for address, form in (
        (url, fields | {"byteSize": "1"}),
        (url, fields | {"Content-Type": "image/jpeg"}),
        (url, fields | {"expires": "9999999999"}),
        (url, fields | {"signature": "0" * 64}),
        (url, {}),
        (other, fields),
        (f"/uploads/{uuid7()}", fields),
    ):
        answer = await client.http.post(address, data=form, files={"file": DATA})
        status, code, message = refusal(answer)
        assert (403, "FORBIDDEN") == (status, code)
        assert message.endswith(".")
    assert {} == backend.staging.files


@pytest.mark.parametrize("count", [MAX_FIELDS + 1, 1])
async def test_fields_are_few_and_small(count: int, client: Client, backend: FakeBackend) -> None:
    url, fields = await slot(client)
    more = {str(number): "x" * (MAX_FIELD_BYTES + 1) * (count == 1) for number in range(count)}
    answer = await client.http.post(url, data=more | fields, files={"file": DATA})
    status, code, message = refusal(answer)
    assert (400, "BAD_USER_INPUT") == (status, code)
    assert message.startswith("The multipart body cannot be read: ")
    assert {} == backend.staging.files


async def test_fields_behind_the_file_come_too_late(client: Client, backend: FakeBackend) -> None:
    url, fields = await slot(client)
    late: dict[str, tuple[None, str]] = {name: (None, text) for name, text in fields.items()}
    answer = await client.http.post(url, files={"file": ("a.png", DATA), **late})
    assert 403 == answer.status_code
    assert "lacks the field “Content-Type”" in refusal(answer)[2]
    assert {} == backend.staging.files


async def test_a_form_without_the_file_or_with_two_is_refused(
    client: Client, backend: FakeBackend
) -> None:
    url, fields = await slot(client)
    for files in (
        {"picture": DATA},
        {"file": (None, DATA)},
        [("file", DATA), ("file", DATA)],
    ):
        answer = await client.http.post(url, data=fields, files=files)
        assert (400, "BAD_USER_INPUT") == refusal(answer)[:2]
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
async def test_what_is_no_form_is_refused(
    content_type: str, body: bytes, *, status: int, client: Client
) -> None:
    url, _ = await slot(client)
    answer = await client.http.post(url, content=body, headers={"Content-Type": content_type})
    assert status == refusal(answer)[0]


async def test_no_more_is_read_than_the_largest_picture_may_have(
    client: Client, backend: FakeBackend
) -> None:
    url, _ = await slot(client)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            taken += 1024
            yield b"x" * 1024

    answer = await client.http.post(
        url, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (413, "REQUEST_ENTITY_TOO_LARGE") == refusal(answer)[:2]
    assert taken <= MAX_BYTES + MAX_FORM_OVERHEAD_BYTES + 2048
    assert {} == backend.staging.files


async def test_the_largest_picture_fits(client: Client, backend: FakeBackend) -> None:
    url, fields = await slot(client, MAX_BYTES)
    answer = await client.http.post(url, data=fields, files={"file": b"x" * MAX_BYTES})
    assert 204 == answer.status_code
    assert [MAX_BYTES] == [len(data) for data in backend.staging.files.values()]


async def test_pages_of_a_listed_origin_may_send_files(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    url, fields = await slot(client)
    for form, status in ((fields, 204), ({}, 403)):
        answer = await client.http.post(
            url, data=form, files={"file": DATA}, headers={"Origin": ORIGIN}
        )
        assert (status, ORIGIN) == (
            answer.status_code,
            answer.headers["Access-Control-Allow-Origin"],
        )


async def test_other_addresses_and_methods_answer_as_everywhere(client: Client) -> None:
    url, _ = await slot(client)
    assert (404, "NOT_FOUND") == refusal(await client.http.post("/uploads/nothing"))[:2]
    assert (405, "METHOD_NOT_ALLOWED") == refusal(await client.http.get(url))[:2]


async def test_the_id_in_the_address_is_the_targets(client: Client) -> None:
    [target] = (await created(client, announced()))["targets"]
    uuid = uuid_of(target["id"], location=("id",), kind=UPLOAD_TARGET)
    assert target["url"].endswith(f"/uploads/{uuid}")
