"""The bytes of images over HTTP."""

# ruff: noqa: ANN401 - what a server answers is any JSON

import base64
from typing import Any

import pytest
from starlette.types import Message

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


async def test_an_original_comes_as_it_was_sent(client: Client, path: str) -> None:
    answer = await client.http.get(f"{path}/original")
    assert (200, DATA) == (answer.status_code, answer.content)
    assert "image/png" == answer.headers["Content-Type"]
    assert str(len(DATA)) == answer.headers["Content-Length"]
    assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert "default-src 'none'; sandbox" == answer.headers["Content-Security-Policy"]
    assert "bytes" == answer.headers["Accept-Ranges"]
    assert answer.headers["X-Request-ID"]


async def test_renditions_are_webp(client: Client, path: str, backend: FakeBackend) -> None:
    for variant in ("large", "thumbnail"):
        answer = await client.http.get(f"{path}/{variant}")
        assert backend.storage.objects[f"{path.rpartition('/')[2]}/{variant}"] == answer.content
        assert "image/webp" == answer.headers["Content-Type"]


async def test_each_variant_has_a_tag_of_its_own_and_is_not_sent_twice(
    client: Client, path: str
) -> None:
    tags = {}
    for variant in ("original", "large", "thumbnail"):
        tags[variant] = (await client.http.get(f"{path}/{variant}")).headers["ETag"]
        for known in (tags[variant], f'W/{tags[variant]}, "other"', "*"):
            answer = await client.http.get(f"{path}/{variant}", headers={"If-None-Match": known})
            assert (304, b"") == (answer.status_code, answer.content)
            assert tags[variant] == answer.headers["ETag"]
    assert 3 == len(set(tags.values()))
    stale = await client.http.get(f"{path}/large", headers={"If-None-Match": tags["original"]})
    assert 200 == stale.status_code


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("0-9", 0, 9),
        ("5-", 5, len(DATA) - 1),
        ("-5", len(DATA) - 5, len(DATA) - 1),
        ("900-99999", 900, len(DATA) - 1),
        ("-99999", 0, len(DATA) - 1),
    ],
)
async def test_a_range_is_a_part(
    client: Client, path: str, asked: str, first: int, last: int
) -> None:
    answer = await client.http.get(f"{path}/original", headers={"Range": f"bytes={asked}"})
    assert (206, DATA[first : last + 1]) == (answer.status_code, answer.content)
    assert f"bytes {first}-{last}/{len(DATA)}" == answer.headers["Content-Range"]
    assert str(last + 1 - first) == answer.headers["Content-Length"]


@pytest.mark.parametrize("asked", ["99999-", "-0", "99999-100000"])
async def test_a_range_past_the_end_is_416_with_the_size(
    client: Client, path: str, asked: str
) -> None:
    answer = await client.http.get(f"{path}/original", headers={"Range": f"bytes={asked}"})
    assert 416 == answer.status_code
    assert f"bytes */{len(DATA)}" == answer.headers["Content-Range"]


@pytest.mark.parametrize(
    "asked", ["bytes=9-0", "bytes=0-1,5-6", "bytes=", "bytes=-", "items=0-1", "x", "bytes=a-b"]
)
async def test_a_range_that_is_none_is_ignored(client: Client, path: str, asked: str) -> None:
    answer = await client.http.get(f"{path}/original", headers={"Range": asked})
    assert (200, DATA) == (answer.status_code, answer.content)


async def test_a_range_of_something_that_changed_is_the_whole(client: Client, path: str) -> None:
    etag = (await client.http.get(f"{path}/original")).headers["ETag"]
    for known, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        headers = {"Range": "bytes=0-1", "If-Range": known}
        assert status == (await client.http.get(f"{path}/original", headers=headers)).status_code


async def test_head_tells_everything_and_sends_nothing(client: Client, path: str) -> None:
    answer = await client.http.head(f"{path}/original")
    assert (200, b"") == (answer.status_code, answer.content)
    assert str(len(DATA)) == answer.headers["Content-Length"]
    part = await client.http.head(f"{path}/original", headers={"Range": "bytes=0-1"})
    assert (206, "2") == (part.status_code, part.headers["Content-Length"])


async def test_a_download_carries_the_name_in_every_script(client: Client, path: str) -> None:
    shown = await client.http.get(f"{path}/original")
    saved = await client.http.get(f"{path}/original?download")
    name = "filename=\"b' __.png\"; filename*=UTF-8''b%27%20%E5%86%99%E7%9C%9F.png"
    assert f"inline; {name}" == shown.headers["Content-Disposition"]
    assert f"attachment; {name}" == saved.headers["Content-Disposition"]
    small = await client.http.get(f"{path}/thumbnail?download")
    assert "-thumbnail.webp" in small.headers["Content-Disposition"]


@pytest.mark.parametrize("variant", ["huge", "ORIGINAL", "original/x", "..%2F"])
async def test_what_is_no_variant_is_404(client: Client, path: str, variant: str) -> None:
    answer = await client.http.get(f"{path}/{variant}")
    assert 404 == answer.status_code
    assert answer.json()["errors"][0]["message"].startswith("There is no")


@pytest.mark.parametrize("image_id", ["x", "1", "01a20ef3-7f68-76c9-b1dc-bca94db9a249", "%00"])
async def test_what_is_no_image_is_404(client: Client, image_id: str) -> None:
    assert 404 == (await client.http.get(f"/images/{image_id}/original")).status_code


async def test_an_image_that_is_being_deleted_is_404(
    client: Client, path: str, backend: FakeBackend
) -> None:
    backend.storage.objects.clear()
    assert 404 == (await client.http.get(f"{path}/original")).status_code
    headers = {"Range": "bytes=0-"}
    assert 404 == (await client.http.get(f"{path}/original", headers=headers)).status_code


async def test_closed_reading_closes_pictures_and_keeps_them_out_of_shared_caches(
    serve: Serve, path: str
) -> None:
    client = serve(public_reading=False)
    assert 401 == (await client.http.get(f"{path}/original")).status_code
    key = {"Authorization": f"Bearer {KEY}"}
    answer = await client.http.get(f"{path}/original", headers=key)
    assert answer.headers["Cache-Control"].startswith("private, ")
    wrong = {"Authorization": "Bearer wrong"}
    assert 401 == (await client.http.get(f"{path}/original", headers=wrong)).status_code


async def test_what_was_opened_is_closed_when_the_client_goes_away(
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
