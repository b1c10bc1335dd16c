"""Multipart requests: malformed forms, and protection against CSRF."""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request

from graph.http.body import Pace
from graph.http.multipart import FormLimits, FormParser, read_form
from graph.http.places import Places
from tests.disks import fill, mounted
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import MAX_FILES, Client, Serve
from tests.graph.multipart_requests import KEY, UPLOAD, multipart, upload_form

PREFLIGHT = {"GraphQL-Require-Preflight": "1"}
FILE = {"0": ("a.png", picture_file())}
OPERATIONS = {"query": UPLOAD, "variables": {"files": [None]}}


@pytest.mark.parametrize(
    ("operations", "file_map"),
    [
        (None, {}),
        (1, {}),
        ([OPERATIONS], {"0": ["0.variables.files.0"]}),
        ("x", {}),
        (OPERATIONS, None),
        (OPERATIONS, []),
        (OPERATIONS, 1),
        (OPERATIONS, {"1": ["variables.files.0"]}),
        (OPERATIONS, {"0": "variables.files.0"}),
        (OPERATIONS, {"0": [1]}),
        (OPERATIONS, {"0": [[]]}),
        (OPERATIONS, {"0": [""]}),
        (OPERATIONS, {"0": ["query"]}),
        (OPERATIONS, {"0": ["variables"]}),
        (OPERATIONS, {"0": ["variables.files"]}),
        (OPERATIONS, {"0": ["variables.files.1"]}),
        (OPERATIONS, {"0": ["variables.files.-1"]}),
        (OPERATIONS, {"0": ["variables.files.x"]}),
        (OPERATIONS, {"0": ["variables.nothing.0"]}),
        (OPERATIONS, {"0": ["variables.files.0.0"]}),
        (OPERATIONS, {"0": ["variables.files.0", "variables.files.0"]}),
        ({"query": UPLOAD, "variables": None}, {"0": ["variables.files.0"]}),
        ({"query": UPLOAD}, {"0": ["variables.files.0"]}),
    ],
)
async def test_a_malformed_multipart_request_is_400(
    client: Client, operations: object, file_map: object
) -> None:
    response = await client.http.post(
        "/graphql", headers=PREFLIGHT, **multipart(operations, file_map, FILE)
    )
    assert 400 == response.status_code
    assert response.json()["errors"][0]["message"].endswith(".")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x; charset=base64", b"--x--"),
        ('multipart/form-data; boundary=x; charset="unicode_escape"', b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nvalue\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x; charset=utf-16",
            b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="map"; filename="a"\r\n\r\n{}\r\n--x--',
        ),
    ],
)
async def test_a_malformed_form_is_400(client: Client, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type} | PREFLIGHT
    assert 400 == (await client.http.post("/graphql", content=body, headers=headers)).status_code


@pytest.mark.parametrize(
    "charset",
    ["charset=utf-8", 'charset="utf-8"', 'charset = "UTF8"', "charset= utf-8", 'charset= "utf-8"'],
)
async def test_utf_8_is_accepted_in_each_notation(client: Client, charset: str) -> None:
    body = form_body([*FIELDS, ("0", "a.png", picture_file())])
    headers = {
        "Content-Type": f"multipart/form-data; boundary=x; {charset}",
        "Authorization": f"Bearer {KEY}",
    }
    response = await client.http.post("/graphql", content=body, headers=headers | PREFLIGHT)
    assert [] == response.json()["data"]["uploadImages"]["userErrors"]


async def test_a_multipart_request_without_a_preflight_header_is_refused(
    client: Client,
) -> None:
    for headers in ({}, {"GraphQL-Require-Preflight": ""}):
        response = await client.http.post(
            "/graphql", headers=headers, **upload_form({"a.png": picture_file()})
        )
        assert 400 == response.status_code
        assert "GraphQL-Require-Preflight: 1" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "name", ["Apollo-Require-Preflight", "X-Apollo-Operation-Name", "GraphQL-Require-Preflight"]
)
async def test_each_preflight_header_is_accepted(client: Client, name: str) -> None:
    response = await client.http.post(
        "/graphql",
        headers={name: "x", "Authorization": f"Bearer {KEY}"},
        **upload_form({"a.png": picture_file()}),
    )
    assert [] == response.json()["data"]["uploadImages"]["userErrors"]


async def test_a_file_that_is_too_large_does_not_affect_others(client: Client) -> None:
    payload = await client.upload(b"x" * 500_000, picture_file())
    assert payload["results"][0] is None
    assert payload["results"][1] is not None
    assert "500,000 bytes" in payload["userErrors"][0]["message"]


def form_body(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    """Return a form of parts, each with its name, its file name or None, and its content."""
    body = bytearray()
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return bytes(body + b"--x--\r\n")


FORM = {"Content-Type": "multipart/form-data; boundary=x"} | PREFLIGHT
FIELDS: list[tuple[str, str | None, bytes]] = [
    ("operations", None, json.dumps(OPERATIONS).encode()),
    ("map", None, b'{"0": ["variables.files.0"]}'),
]


async def read(body: bytes, *, may_store: bool) -> list[UploadFile]:
    """Return the files of a form, of which up to five may be stored."""

    async def chunks() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    headers = [(name.lower().encode(), value.encode()) for name, value in FORM.items()]
    request = Request({"type": "http", "headers": headers})
    limits = FormLimits(150_000, 5, lambda fields: may_store and "operations" in fields)
    form = await read_form(request, chunks(), limits=limits)
    return [value for value in form.values() if isinstance(value, UploadFile)]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_files_past_the_limit_are_counted_and_not_stored() -> None:
    before = open_descriptors()
    content = b"x" * 100_000
    body = form_body([*FIELDS, *((str(n), f"{n}.png", content) for n in range(200))])
    files = await read(body, may_store=True)
    assert before + 5 == open_descriptors()
    assert [len(content)] * 200 == [file.size for file in files]
    assert [len(content)] * 5 + [0] * 195 == [len(await file.read()) for file in files]
    for file in files:
        await file.close()
    [large] = await read(form_body([*FIELDS, ("0", "a.png", b"x" * 200_000)]), may_store=True)
    assert (200_000, 150_001) == (large.size, len(await large.read()))
    await large.close()


async def test_files_that_an_operation_may_not_use_are_not_stored() -> None:
    before = open_descriptors()
    [file] = await read(form_body([*FIELDS, ("0", "a.png", b"x" * 100_000)]), may_store=False)
    assert (100_000, b"") == (file.size, await file.read())
    assert before == open_descriptors()
    await file.close()


@pytest.mark.parametrize(
    "parts",
    [
        [*FIELDS, *[("more", None, b"1")] * 250],
        [*FIELDS, ("more", None, b"1" * 300_000)],
        [("0", "a.png", b"1"), *FIELDS],
        [FIELDS[0], ("0", "a.png", b"1"), FIELDS[1]],
        [*FIELDS, *[("0", "a.png", b"1")] * 201],
    ],
)
async def test_a_form_with_too_much_or_in_another_order_is_400(
    client: Client, parts: list[tuple[str, str | None, bytes]]
) -> None:
    response = await client.http.post("/graphql", content=form_body(parts), headers=FORM)
    assert 400 == response.status_code
    assert "cannot be read" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("number", [1, MAX_FILES + 1])
async def test_an_upload_without_the_scope_is_refused_in_graphql(
    client: Client, number: int
) -> None:
    files = {f"{each}.png": picture_file() for each in range(number)}
    response = await client.http.post("/graphql", headers=PREFLIGHT, **upload_form(files))
    [error] = response.json()["errors"]
    assert "UNAUTHENTICATED" == error["extensions"]["code"]


async def test_a_caller_with_a_key_finds_a_place_that_others_cannot_take(serve: Serve) -> None:
    client = serve(max_forms=2)
    proceed = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        body = form_body([*FIELDS, ("0", "a.png", picture_file())])
        yield body[:100]
        await proceed.wait()
        yield body[100:]

    held = asyncio.create_task(client.http.post("/graphql", content=slow(), headers=FORM))
    await asyncio.sleep(0.05)
    refused = await client.http.post(
        "/graphql", headers=PREFLIGHT, **upload_form({"a.png": picture_file()})
    )
    assert (503, "1") == (refused.status_code, refused.headers["Retry-After"])
    assert "SERVICE_UNAVAILABLE" == refused.json()["errors"][0]["extensions"]["code"]
    assert [] == (await client.upload(picture_file()))["userErrors"]
    proceed.set()
    assert 200 == (await held).status_code


def test_places_are_given_back() -> None:
    places = Places(1)
    for _ in range(3):
        with places.one(has_key=False):
            pass
        with places.one(has_key=True):
            pass


async def test_a_body_that_trickles_is_408(serve: Serve) -> None:
    client = serve(pace=Pace(idle_seconds=0.5, min_bytes_per_second=10**6))

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    headers = {"Content-Type": "application/json"}
    response = await client.http.post("/graphql", content=trickle(), headers=headers)
    assert 408 == response.status_code


async def test_files_that_a_full_disk_cannot_hold_are_an_outage_and_the_next_ones_are_taken(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FormParser, "spool_max_size", 1)
    form = {"a.png": picture_file()}
    headers = PREFLIGHT | {"Authorization": f"Bearer {KEY}"}
    with mounted(tmp_path / "disk", megabytes=1) as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        filling = fill(folder)
        refused = await client.http.post("/graphql", headers=headers, **upload_form(form))
        assert 503 == refused.status_code
        assert refused.headers["Retry-After"]
        [error] = refused.json()["errors"]
        assert "SERVICE_UNAVAILABLE" == error["extensions"]["code"]
        assert "disk for temporary files" in error["message"]
        filling.unlink()
        accepted = await client.http.post("/graphql", headers=headers, **upload_form(form))
        assert [] == accepted.json()["data"]["uploadImages"]["userErrors"]
