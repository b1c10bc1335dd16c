"""``GET /images/{id}/{variant}``: the bytes of images."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import base64
from typing import Any

import pytest
from starlette.types import Message

from graph.http import pictures
from graph.http.app import create_app
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY

DATA = picture_file(words="x" * 900)


@pytest.fixture
async def path(client: Client) -> Any:
    payload = await client.upload(DATA, names=("b' 写真.png",))
    image_id = base64.b64decode(payload["results"][0]["image"]["id"]).decode()
    return f"/images/{image_id.removeprefix('Image:')}"


async def test_an_original_has_the_uploaded_bytes(client: Client, path: str) -> None:
    response = await client.http.get(f"{path}/original")
    assert (200, DATA) == (response.status_code, response.content)
    assert "image/png" == response.headers["Content-Type"]
    assert str(len(DATA)) == response.headers["Content-Length"]
    assert "public, max-age=31536000, immutable" == response.headers["Cache-Control"]
    assert "nosniff" == response.headers["X-Content-Type-Options"]
    assert "default-src 'none'; sandbox" == response.headers["Content-Security-Policy"]
    assert "bytes" == response.headers["Accept-Ranges"]
    assert response.headers["X-Request-ID"]


async def test_renditions_are_webp(client: Client, path: str, backend: FakeBackend) -> None:
    for variant in ("large", "thumbnail"):
        response = await client.http.get(f"{path}/{variant}")
        assert backend.storage.objects[f"{path.rpartition('/')[2]}/{variant}"] == response.content
        assert "image/webp" == response.headers["Content-Type"]


async def test_each_variant_has_its_own_etag_and_is_304_when_cached(
    client: Client, path: str
) -> None:
    tags = {}
    for variant in ("original", "large", "thumbnail"):
        tags[variant] = (await client.http.get(f"{path}/{variant}")).headers["ETag"]
        for known in (tags[variant], f'W/{tags[variant]}, "other"', "*"):
            response = await client.http.get(f"{path}/{variant}", headers={"If-None-Match": known})
            assert (304, b"") == (response.status_code, response.content)
            assert tags[variant] == response.headers["ETag"]
    assert 3 == len(set(tags.values()))
    stale = await client.http.get(f"{path}/large", headers={"If-None-Match": tags["original"]})
    assert 200 == stale.status_code


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        ("0-9", 0, 9),
        ("5-", 5, len(DATA) - 1),
        ("-5", len(DATA) - 5, len(DATA) - 1),
        ("900-99999", 900, len(DATA) - 1),
        ("-99999", 0, len(DATA) - 1),
    ],
)
async def test_a_range_request_returns_a_part(
    client: Client, path: str, requested: str, first: int, last: int
) -> None:
    response = await client.http.get(f"{path}/original", headers={"Range": f"bytes={requested}"})
    assert (206, DATA[first : last + 1]) == (response.status_code, response.content)
    assert f"bytes {first}-{last}/{len(DATA)}" == response.headers["Content-Range"]
    assert str(last + 1 - first) == response.headers["Content-Length"]


@pytest.mark.parametrize("requested", ["99999-", "-0", "99999-100000"])
async def test_a_range_past_the_end_is_416_with_the_size(
    client: Client, path: str, requested: str
) -> None:
    response = await client.http.get(f"{path}/original", headers={"Range": f"bytes={requested}"})
    assert 416 == response.status_code
    assert f"bytes */{len(DATA)}" == response.headers["Content-Range"]


@pytest.mark.parametrize(
    "requested", ["bytes=9-0", "bytes=0-1,5-6", "bytes=", "bytes=-", "items=0-1", "x", "bytes=a-b"]
)
async def test_a_malformed_range_is_ignored(client: Client, path: str, requested: str) -> None:
    response = await client.http.get(f"{path}/original", headers={"Range": requested})
    assert (200, DATA) == (response.status_code, response.content)


async def test_if_range_with_another_etag_returns_the_whole(client: Client, path: str) -> None:
    etag = (await client.http.get(f"{path}/original")).headers["ETag"]
    for known, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        headers = {"Range": "bytes=0-1", "If-Range": known}
        assert status == (await client.http.get(f"{path}/original", headers=headers)).status_code


async def test_head_has_all_headers_and_no_body(client: Client, path: str) -> None:
    response = await client.http.head(f"{path}/original")
    assert (200, b"") == (response.status_code, response.content)
    assert str(len(DATA)) == response.headers["Content-Length"]
    part = await client.http.head(f"{path}/original", headers={"Range": "bytes=0-1"})
    assert (206, "2") == (part.status_code, part.headers["Content-Length"])


async def test_a_download_has_the_file_name_in_unicode(client: Client, path: str) -> None:
    shown = await client.http.get(f"{path}/original")
    saved = await client.http.get(f"{path}/original?download")
    name = "filename=\"b' __.png\"; filename*=UTF-8''b%27%20%E5%86%99%E7%9C%9F.png"
    assert f"inline; {name}" == shown.headers["Content-Disposition"]
    assert f"attachment; {name}" == saved.headers["Content-Disposition"]
    small = await client.http.get(f"{path}/thumbnail?download")
    assert "-thumbnail.webp" in small.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("photo.jpg", "photo.png"),
        ("photo.PNG", "photo.PNG"),
        ("photo", "photo.png"),
        ("v1.2", "v1.2.png"),
    ],
)
async def test_the_name_of_a_download_fits_its_bytes(
    client: Client, filename: str, expected: str
) -> None:
    payload = await client.upload(picture_file(words=filename), names=(filename,))
    image_id = base64.b64decode(payload["results"][0]["image"]["id"]).decode()
    path = f"/images/{image_id.removeprefix('Image:')}"
    response = await client.http.get(f"{path}/original?download")
    assert f'filename="{expected}"' in response.headers["Content-Disposition"]


@pytest.mark.parametrize("variant", ["huge", "ORIGINAL", "original/x", "..%2F"])
async def test_an_unknown_variant_is_404(client: Client, path: str, variant: str) -> None:
    response = await client.http.get(f"{path}/{variant}")
    assert 404 == response.status_code
    assert response.json()["errors"][0]["message"].startswith("There is no")


@pytest.mark.parametrize("image_id", ["x", "1", "01a20ef3-7f68-76c9-b1dc-bca94db9a249", "%00"])
async def test_an_unknown_image_is_404(client: Client, image_id: str) -> None:
    assert 404 == (await client.http.get(f"/images/{image_id}/original")).status_code


async def test_an_image_that_is_being_deleted_is_404(
    client: Client, path: str, backend: FakeBackend
) -> None:
    backend.storage.objects.clear()
    assert 404 == (await client.http.get(f"{path}/original")).status_code
    headers = {"Range": "bytes=0-"}
    assert 404 == (await client.http.get(f"{path}/original", headers=headers)).status_code


async def test_without_public_reading_pictures_need_a_key_and_are_cached_privately(
    serve: Serve, path: str
) -> None:
    client = serve(public_reading=False)
    assert 401 == (await client.http.get(f"{path}/original")).status_code
    key = {"Authorization": f"Bearer {KEY}"}
    response = await client.http.get(f"{path}/original", headers=key)
    assert response.headers["Cache-Control"].startswith("private, ")
    wrong = {"Authorization": "Bearer wrong"}
    assert 401 == (await client.http.get(f"{path}/original", headers=wrong)).status_code


ORIGIN = "https://gallery.example"


@pytest.mark.parametrize("origins", [(), (ORIGIN, "https://other.example")])
async def test_scripts_of_every_origin_may_draw_pictures_of_a_public_library(
    serve: Serve, path: str, origins: tuple[str, ...]
) -> None:
    client = serve(cors_origins=origins)
    for headers in ({}, {"Origin": ORIGIN}, {"Origin": "https://unknown.example"}):
        for more in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}, {"Range": "bytes=-0"}):
            response = await client.http.get(f"{path}/thumbnail", headers=headers | more)
            # The same for all, as caches keep it that ignore Vary.
            assert "*" == response.headers["Access-Control-Allow-Origin"]


async def test_only_scripts_of_listed_origins_may_read_pictures_that_need_a_key(
    serve: Serve, path: str
) -> None:
    client = serve(public_reading=False, cors_origins=(ORIGIN,))
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://unknown.example", None)):
        headers = {"Authorization": f"Bearer {KEY}", "Origin": origin}
        response = await client.http.get(f"{path}/thumbnail", headers=headers)
        assert allowed == response.headers.get("Access-Control-Allow-Origin")


async def test_nothing_is_open_while_a_client_takes_a_picture(
    path: str, backend: FakeBackend
) -> None:
    key = f"{path.rpartition('/')[2]}/original"
    is_taking = asyncio.Event()

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            is_taking.set()
            await asyncio.sleep(60)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{path}/original",
        "headers": [],
        "query_string": b"",
        "asgi": {"spec_version": "2.4"},
    }
    response = asyncio.create_task(create_app(backend.use_cases)(scope, receive, send))
    await is_taking.wait()
    assert [key] == backend.storage.closed
    response.cancel()
    with pytest.raises(asyncio.CancelledError):
        await response


@pytest.mark.parametrize("piece_bytes", [1, 100, len(DATA) - 1, len(DATA)])
async def test_a_large_picture_is_read_in_pieces(
    client: Client, path: str, piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PIECE_BYTES", piece_bytes)
    assert DATA == (await client.http.get(f"{path}/original")).content
    for header, expected in (
        ("bytes=7-", DATA[7:]),
        ("bytes=7-500", DATA[7:501]),
        ("bytes=7-7", DATA[7:8]),
        ("bytes=-300", DATA[-300:]),
        (f"bytes=-{len(DATA) * 2}", DATA),
    ):
        response = await client.http.get(f"{path}/original", headers={"Range": header})
        assert (206, expected) == (response.status_code, response.content)
        assert str(len(expected)) == response.headers["Content-Length"]
        assert response.headers["Content-Range"].endswith(f"/{len(DATA)}")
    head = await client.http.head(f"{path}/original")
    assert (str(len(DATA)), b"") == (head.headers["Content-Length"], head.content)


async def test_the_blob_is_closed_when_the_client_disconnects(
    path: str, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{path}/original",
        "headers": [],
        "query_string": b"",
        "asgi": {"spec_version": "2.4"},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    await create_app(backend.use_cases)(scope, receive, send)
    assert [f"{path.rpartition('/')[2]}/original"] == backend.storage.closed
    assert [] == caplog.records
