"""Multipart requests: malformed forms, and protection against CSRF."""

import pytest

from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client
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
