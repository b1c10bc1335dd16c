"""Files over HTTP: forms of every shape, and who may send them."""

import pytest

from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client
from tests.graph.multipart_requests import KEY, UPLOAD, multipart, upload_form

PREFLIGHT = {"GraphQL-Require-Preflight": "1"}
FILE = {"0": ("a.png", picture_file())}
ASKED = {"query": UPLOAD, "variables": {"files": [None]}}


@pytest.mark.parametrize(
    ("operations", "places"),
    [
        (None, {}),
        (1, {}),
        ([ASKED], {"0": ["0.variables.files.0"]}),
        ("x", {}),
        (ASKED, None),
        (ASKED, []),
        (ASKED, 1),
        (ASKED, {"1": ["variables.files.0"]}),
        (ASKED, {"0": "variables.files.0"}),
        (ASKED, {"0": [1]}),
        (ASKED, {"0": [[]]}),
        (ASKED, {"0": [""]}),
        (ASKED, {"0": ["query"]}),
        (ASKED, {"0": ["variables"]}),
        (ASKED, {"0": ["variables.files"]}),
        (ASKED, {"0": ["variables.files.1"]}),
        (ASKED, {"0": ["variables.files.-1"]}),
        (ASKED, {"0": ["variables.files.x"]}),
        (ASKED, {"0": ["variables.nothing.0"]}),
        (ASKED, {"0": ["variables.files.0.0"]}),
        (ASKED, {"0": ["variables.files.0", "variables.files.0"]}),
        ({"query": UPLOAD, "variables": None}, {"0": ["variables.files.0"]}),
        ({"query": UPLOAD}, {"0": ["variables.files.0"]}),
    ],
)
async def test_a_malformed_multipart_request_is_400(
    client: Client, operations: object, places: object
) -> None:
    answer = await client.http.post(
        "/graphql", headers=PREFLIGHT, **multipart(operations, places, FILE)
    )
    assert 400 == answer.status_code
    assert answer.json()["errors"][0]["message"].endswith(".")


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
async def test_a_body_that_is_no_form_is_400(
    client: Client, content_type: str, body: bytes
) -> None:
    headers = {"Content-Type": content_type} | PREFLIGHT
    assert 400 == (await client.http.post("/graphql", content=body, headers=headers)).status_code


async def test_multipart_needs_a_header_that_no_form_of_another_site_can_send(
    client: Client,
) -> None:
    for headers in ({}, {"GraphQL-Require-Preflight": ""}):
        answer = await client.http.post(
            "/graphql", headers=headers, **upload_form({"a.png": picture_file()})
        )
        assert 400 == answer.status_code
        assert "GraphQL-Require-Preflight: 1" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "name", ["Apollo-Require-Preflight", "X-Apollo-Operation-Name", "GraphQL-Require-Preflight"]
)
async def test_any_of_the_known_headers_lets_a_file_in(client: Client, name: str) -> None:
    answer = await client.http.post(
        "/graphql",
        headers={name: "x", "Authorization": f"Bearer {KEY}"},
        **upload_form({"a.png": picture_file()}),
    )
    assert [] == answer.json()["data"]["uploadImages"]["userErrors"]


async def test_a_file_that_is_too_large_is_refused_beside_one_that_is_not(client: Client) -> None:
    payload = await client.upload(b"x" * 500_000, picture_file())
    assert payload["results"][0] is None
    assert payload["results"][1] is not None
    assert "500,000 bytes" in payload["userErrors"][0]["message"]
