"""S3Storage beyond the contract of storages: retries, timeouts, batches, errors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.entities.images import Variant, uuid7
from domain.errors import AccessRefused, Misconfigured, Unavailable
from infra.s3.storage import S3Storage
from tests.s3_server import connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

KEY = Variant.ORIGINAL.key_of(uuid7())
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@asynccontextmanager
async def scripted_store(
    respond: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]], *, bucket_exists: bool = True
) -> AsyncIterator[str]:
    """Serve HTTP with responses by ``respond``; HEAD requests succeed if ``bucket_exists``."""

    connections = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            connections.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))
                if bucket_exists and head.startswith(b"HEAD"):
                    writer.write(OK)
                else:
                    await respond(head, writer)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)


async def test_calls_to_a_silent_store_fail_at_the_deadline() -> None:
    async def silence(_head: bytes, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with scripted_store(silence) as url, connect("b", url, deadline=5) as storage:
        outcomes = await asyncio.gather(
            storage.write(KEY, b"bytes", content_type="image/png"),
            storage.open(KEY),
            storage.delete([KEY]),
            anext(storage.list()),
            return_exceptions=True,
        )
    assert [Unavailable] * 4 == [type(outcome) for outcome in outcomes]


async def test_transient_errors_are_retried() -> None:
    heads: list[bytes] = []

    async def recover(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        match len(heads):
            case 1:
                writer.write(UNAVAILABLE)
            case 2:
                writer.close()
            case _:
                writer.write(OK)

    async with scripted_store(recover) as url, connect("b", url) as storage:
        await storage.write(KEY, b"bytes", content_type="image/png")
    assert len(heads) == 3
    assert all(head.startswith(f"PUT /b/{KEY} ".encode()) for head in heads)


async def test_an_attempt_without_a_response_is_retried_before_the_deadline() -> None:
    heads: list[bytes] = []

    async def recover(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        if len(heads) == 1:
            await asyncio.sleep(60)
        writer.write(OK)

    async with scripted_store(recover) as url, connect("b", url, read_timeout=1) as storage:
        await storage.write(KEY, b"bytes", content_type="image/png")
    assert len(heads) == 2


async def test_a_client_error_is_not_retried() -> None:
    heads: list[bytes] = []

    async def refuse(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with scripted_store(refuse) as url, connect("b", url) as storage:
        with pytest.raises(ClientError):
            await storage.write(KEY, b"bytes", content_type="image/png")
        with pytest.raises(AccessRefused, match="its operator must change that"):
            await storage.open(KEY)
    assert len(heads) == 2


async def test_a_truncated_body_raises_an_error() -> None:
    async def break_off(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
        await writer.drain()
        writer.close()

    async with scripted_store(break_off) as url, connect("b", url) as storage:
        blob = await storage.open(KEY)
        assert blob.size == 100_000
        with pytest.raises(Unavailable):
            _ = [chunk async for chunk in blob.chunks]


async def test_a_stalled_body_times_out() -> None:
    async def stall(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
        await writer.drain()
        await asyncio.sleep(60)

    async with scripted_store(stall) as url, connect("b", url, read_timeout=1) as storage:
        blob = await storage.open(KEY)
        with pytest.raises(Unavailable):
            _ = [chunk async for chunk in blob.chunks]


async def test_a_slow_reader_does_not_time_out(s3_url: str) -> None:
    data = bytes(3_000_000)
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, s3_url, deadline=5, read_timeout=4) as storage:
        await storage.write(KEY, data, content_type="image/png")
        blob = await storage.open(KEY)
        received = await anext(blob.chunks)
        await asyncio.sleep(5.5)
        assert data == received + b"".join([chunk async for chunk in blob.chunks])


async def test_more_objects_than_a_batch_are_deleted(s3_url: str) -> None:
    keys = [Variant.LARGE.key_of(uuid7()) for _ in range(1_050)]
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, s3_url) as storage:
        for key in (keys[0], keys[-1]):
            await storage.write(key, b"", content_type="image/webp")
        await storage.delete(keys)
        assert [kept async for kept in storage.list()] == []


async def test_a_listing_continues_on_the_next_page() -> None:
    keys = [Variant.LARGE.key_of(uuid7()) for _ in range(3)]

    async def page(head: bytes, writer: asyncio.StreamWriter) -> None:
        number = next((n for n in (1, 2) if b"continuation-token=%d" % n in head), 0)
        body = (
            f"<ListBucketResult><IsTruncated>{str(number < 2).lower()}</IsTruncated>"
            f"<NextContinuationToken>{number + 1}</NextContinuationToken><Contents><Key>"
            f"{keys[number]}</Key><LastModified>2024-05-01T12:00:00.000Z</LastModified></Contents>"
            "</ListBucketResult>"
        ).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with scripted_store(page) as url, connect("b", url) as storage:
        assert keys == [kept.key async for kept in storage.list()]


async def test_prefixes_separate_storages_in_one_bucket(s3_url: str) -> None:
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, s3_url, prefix="/one/") as one, connect(bucket, s3_url) as whole:
        await one.write(KEY, b"bytes", content_type="image/png")
        assert {KEY} == {kept.key async for kept in one.list()}
        assert [kept async for kept in whole.list()] == []
        objects = await whole.client.list_objects_v2(Bucket=bucket)
        assert [f"one/{KEY}"] == [entry["Key"] for entry in objects["Contents"]]


async def test_objects_have_their_media_type(s3_url: str) -> None:
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, s3_url) as storage:
        await storage.write(KEY, b"bytes", content_type="image/avif")
        head = await storage.client.head_object(Bucket=bucket, Key=KEY)
    assert head["ContentType"] == "image/avif"


async def test_an_object_that_cannot_be_deleted_raises_an_error() -> None:
    body = (
        b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code>"
        b"<Message>Held</Message></Error></DeleteResult>"
    )

    async def hold(head: bytes, writer: asyncio.StreamWriter) -> None:
        assert b"content-md5:" in head.lower()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with scripted_store(hold) as url, connect("b", url) as storage:
        with pytest.raises(ClientError, match="AccessDenied"):
            await storage.delete([KEY])


async def test_connecting_to_a_missing_bucket_is_refused(s3_url: str) -> None:
    with pytest.raises(Misconfigured, match="There is no bucket 'nowhere' in the store at"):
        async with connect("nowhere", s3_url):
            pass


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, "These keys may not use bucket 'b'"),
        (301, "Every request is redirected by"),
        (405, "Requests fail with status 405"),
    ],
)
async def test_an_unusable_bucket_is_refused_with_the_reason(status: int, expected: str) -> None:
    async def fail(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    async with scripted_store(fail, bucket_exists=False) as url:
        with pytest.raises(Misconfigured, match=expected):
            async with connect("b", url):
                pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no address"])
async def test_an_unreachable_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"Cannot use bucket 'b' in the store at|no response"):
        async with connect("b", url, deadline=1):
            pass


async def test_missing_credentials_are_refused(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Misconfigured, match="There are no keys for the store at"):
        async with S3Storage.connect("b", endpoint_url=s3_url, region="us-east-1"):
            pass


@pytest.mark.parametrize("region", [None, "us-east-1", "eu-central-1"])
async def test_a_missing_bucket_is_created_on_request(s3_url: str, region: str | None) -> None:
    bucket = f"new-{uuid7()}"
    for _ in range(2):
        async with S3Storage.connect(
            bucket,
            endpoint_url=s3_url,
            region=region,
            access_key_id="pictures",
            secret_access_key="pictures",  # noqa: S106 - moto takes any
            create=True,
        ) as storage:
            await storage.write(KEY, b"bytes", content_type="image/png")


async def test_a_bucket_that_cannot_be_created_is_refused() -> None:
    async def forbid(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with scripted_store(forbid) as url:
        with pytest.raises(Misconfigured, match="These keys may not use bucket 'b'"):
            async with S3Storage.connect(
                "b",
                endpoint_url=url,
                region="us-east-1",
                access_key_id="pictures",
                secret_access_key="pictures",  # noqa: S106 - the scripted store ignores it
                create=True,
            ):
                pass
