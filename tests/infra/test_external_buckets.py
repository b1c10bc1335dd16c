"""ExternalBuckets beyond the contract of external files."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.entities.images import Source
from domain.errors import (
    AccessRefused,
    BytesMissing,
    InvalidContent,
    Misconfigured,
    Unavailable,
)
from infra.s3 import external
from infra.s3.client import S3Client
from infra.s3.external import ExternalBuckets
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


class Bucket:
    """A bucket of external objects, and the options of a connection to it."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.connect = partial(
            S3Client.connect,
            endpoint_url=url,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=ACCESS_KEY,
            deadline_seconds=20,
        )

    async def put(self, *keys: str) -> None:
        async with self.connect() as client:
            for key in keys:
                await client.client.put_object(Bucket=self.name, Key=key, Body=b"x")

    async def keys_by_range(self, below: str = "", own: tuple[str, ...] = ()) -> list[list[str]]:
        """The keys below a prefix, for each key range of its split."""
        root, start = f"s3://{self.name}/{below}", f"s3://{self.name}/"
        async with ExternalBuckets(self.connect, tuple(start + each for each in own)) as buckets:
            return [
                [each.source.location.removeprefix(start) async for each in buckets.list(root, one)]
                for one in await buckets.split(root)
            ]


@pytest.fixture
async def bucket(s3_url: str) -> Bucket:
    return Bucket(s3_url, await asyncio.to_thread(create_bucket, s3_url))


KEYS = ["a.jpg", "b/", "b/1", "b/c/2", "b/c/3", "b/d/4", "b-5", "e/6", "e/f/g/7", "z"]


async def test_a_listing_is_split_at_folders_and_omits_their_markers(
    bucket: Bucket,
) -> None:
    await bucket.put(*KEYS)
    keys_by_range = await bucket.keys_by_range()
    assert 1 < len(keys_by_range)
    assert sorted(set(KEYS) - {"b/"}) == [key for key_range in keys_by_range for key in key_range]
    below = await bucket.keys_by_range("b/")
    assert ["b/1", "b/c/2", "b/c/3", "b/d/4"] == [key for key_range in below for key in key_range]


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_pages_and_key_ranges_may_end_anywhere(
    bucket: Bucket, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "LIST_PAGE_SIZE", page)
    monkeypatch.setattr(external, "TARGET_KEY_RANGES", 3)
    await bucket.put(*KEYS)
    keys_by_range = await bucket.keys_by_range()
    assert sorted(set(KEYS) - {"b/"}) == [key for key_range in keys_by_range for key in key_range]


async def test_a_bucket_without_folders_is_one_key_range(bucket: Bucket) -> None:
    await bucket.put("a", "b")
    assert [["a", "b"]] == await bucket.keys_by_range()


async def test_the_librarys_own_objects_are_neither_listed_nor_imported(bucket: Bucket) -> None:
    await bucket.put("a", "own/b/original", "z")
    kept = await bucket.keys_by_range(own=("own/",))
    assert ["a", "z"] == [key for key_range in kept for key in key_range]
    for below, own in (("own/", ("own/",)), ("own/b/", ("own/",)), ("", ("",))):
        with pytest.raises(Misconfigured, match="keeps its own files"):
            await bucket.keys_by_range(below, own)
    async with ExternalBuckets(bucket.connect, (f"s3://{bucket.name}/own/",)) as buckets:
        with pytest.raises(BytesMissing):
            await buckets.stat(f"s3://{bucket.name}/own/b/original")


async def test_a_missing_bucket_is_refused(bucket: Bucket) -> None:
    bucket.name = "nowhere"
    with pytest.raises(Misconfigured, match="There is no bucket 'nowhere' in the store at"):
        await bucket.keys_by_range()
    async with ExternalBuckets(bucket.connect) as buckets:
        with pytest.raises(BytesMissing):
            await buckets.open(Source("s3://nowhere/a", "1"))
        with pytest.raises(BytesMissing):
            await buckets.stat("s3://nowhere/a")


async def test_a_listing_can_be_closed_early(bucket: Bucket) -> None:
    await bucket.put("a", "b", "c")
    root = f"s3://{bucket.name}/"
    async with ExternalBuckets(bucket.connect) as buckets:
        [key_range] = await buckets.split(root)
        listing = aiter(buckets.list(root, key_range))
        assert f"{root}a" == (await anext(listing)).source.location
        await listing.aclose()  # type: ignore[attr-defined]  # a generator


async def test_the_connection_is_opened_on_the_first_call() -> None:
    def never() -> object:
        raise AssertionError

    async with ExternalBuckets(never):  # type: ignore[arg-type]  # never called
        pass


@pytest.mark.parametrize(
    ("status", "code", "expected", "reason"),
    [
        (403, "InvalidObjectState", InvalidContent, "“a.jpg” is archived"),
        (403, "AccessDenied", InvalidContent, "“a.jpg” may not be read"),
        (403, "InvalidAccessKeyId", AccessRefused, "its operator must change that"),
        (404, "NoSuchBucket", BytesMissing, "a.jpg"),
        (405, "MethodNotAllowed", ClientError, "MethodNotAllowed"),
        (500, "InternalError", Unavailable, "cannot use its object store"),
    ],
)
async def test_errors_of_the_store_are_translated_to_those_of_the_port(  # noqa: PLR0913
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    code: str,
    expected: type[Exception],
    reason: str,
) -> None:
    async def refuse(**_: object) -> None:
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(response, "GetObject")

    async with bucket.connect() as client:
        monkeypatch.setattr(client.client, "get_object", refuse)
        async with ExternalBuckets(lambda: nullcontext(client)) as buckets:
            with pytest.raises(expected, match=reason):
                await buckets.open(Source(f"s3://{bucket.name}/a.jpg", "1"))


@pytest.mark.parametrize(("status", "expected"), [(403, BytesMissing), (500, Misconfigured)])
async def test_a_forbidden_object_is_missing_and_other_errors_are_refused(
    bucket: Bucket, status: int, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(**_: object) -> None:
        response = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(response, "HeadObject")

    async with bucket.connect() as client:
        monkeypatch.setattr(client.client, "head_object", refuse)

        @asynccontextmanager
        async def connect() -> AsyncIterator[S3Client]:
            yield client

        async with ExternalBuckets(connect) as buckets:
            with pytest.raises(expected):
                await buckets.stat(f"s3://{bucket.name}/a.jpg")


async def test_a_listing_that_fails_is_refused_with_the_reason(bucket: Bucket) -> None:
    await bucket.put("a")
    root = f"s3://{bucket.name}/"
    async with ExternalBuckets(bucket.connect) as buckets:
        [key_range] = await buckets.split(root)
        with pytest.raises(Misconfigured, match="There is no bucket 'gone'"):
            _ = [each async for each in buckets.list("s3://gone/", key_range)]
