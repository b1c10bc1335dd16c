"""What buckets promise beyond the contract of a place."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped] # brings none

from domain.entities.images import Source
from domain.errors import BytesMissing, InvalidContent, Misconfigured
from infra.s3 import external as module
from infra.s3.client import S3Client
from infra.s3.external import ExternalBuckets
from tests.s3_server import KEY, bucket_of, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


class Filled:
    """A bucket with objects, and its places."""

    def __init__(self, url: str, bucket: str) -> None:
        self.bucket = bucket
        self.connect = partial(
            S3Client.connect,
            endpoint_url=url,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=KEY,
            deadline_seconds=20,
        )

    async def put(self, *keys: str) -> None:
        async with self.connect() as client:
            for key in keys:
                await client.client.put_object(Bucket=self.bucket, Key=key, Body=b"x")

    async def stretches(self, below: str = "", own: tuple[str, ...] = ()) -> list[list[str]]:
        """The keys below a prefix, stretch by stretch."""
        root, start = f"s3://{self.bucket}/{below}", f"s3://{self.bucket}/"
        async with ExternalBuckets(self.connect, tuple(start + each for each in own)) as places:
            return [
                [each.source.location.removeprefix(start) async for each in places.list(root, one)]
                for one in await places.split(root)
            ]


@pytest.fixture
async def filled(s3_url: str) -> Filled:
    return Filled(s3_url, await asyncio.to_thread(bucket_of, s3_url))


KEYS = ["a.jpg", "b/", "b/1", "b/c/2", "b/c/3", "b/d/4", "b-5", "e/6", "e/f/g/7", "z"]


async def test_a_listing_is_divided_where_folders_begin_and_leaves_folders_themselves_out(
    filled: Filled,
) -> None:
    await filled.put(*KEYS)
    stretches = await filled.stretches()
    assert 1 < len(stretches)
    assert sorted(set(KEYS) - {"b/"}) == [key for key_range in stretches for key in key_range]
    below = await filled.stretches("b/")
    assert ["b/1", "b/c/2", "b/c/3", "b/d/4"] == [key for key_range in below for key in key_range]


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_pages_and_stretches_may_end_anywhere(
    filled: Filled, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    monkeypatch.setattr(module, "STRETCHES", 3)
    await filled.put(*KEYS)
    stretches = await filled.stretches()
    assert sorted(set(KEYS) - {"b/"}) == [key for key_range in stretches for key in key_range]


async def test_a_bucket_without_folders_is_one_stretch(filled: Filled) -> None:
    await filled.put("a", "b")
    assert [["a", "b"]] == await filled.stretches()


async def test_the_librarys_own_objects_are_left_out_and_no_root(filled: Filled) -> None:
    await filled.put("a", "own/b/original", "z")
    kept = await filled.stretches(own=("own/",))
    assert ["a", "z"] == [key for key_range in kept for key in key_range]
    for below, own in (("own/", ("own/",)), ("own/b/", ("own/",)), ("", ("",))):
        with pytest.raises(Misconfigured, match="keeps its own files"):
            await filled.stretches(below, own)
    async with ExternalBuckets(filled.connect, (f"s3://{filled.bucket}/own/",)) as places:
        with pytest.raises(BytesMissing):
            await places.stat(f"s3://{filled.bucket}/own/b/original")


async def test_a_bucket_that_is_not_there_is_refused(filled: Filled) -> None:
    filled.bucket = "nowhere"
    with pytest.raises(Misconfigured, match="There is no bucket 'nowhere' in the store at"):
        await filled.stretches()
    async with ExternalBuckets(filled.connect) as places:
        with pytest.raises(BytesMissing):
            await places.open(Source("s3://nowhere/a", "1"))
        with pytest.raises(BytesMissing):
            await places.stat("s3://nowhere/a")


async def test_a_reader_of_a_listing_may_stop_early(filled: Filled) -> None:
    await filled.put("a", "b", "c")
    root = f"s3://{filled.bucket}/"
    async with ExternalBuckets(filled.connect) as places:
        [key_range] = await places.split(root)
        listing = aiter(places.list(root, key_range))
        assert f"{root}a" == (await anext(listing)).source.location
        await listing.aclose()  # type: ignore[attr-defined]  # a generator


async def test_nothing_is_connected_until_it_is_needed() -> None:
    def never() -> object:
        raise AssertionError

    async with ExternalBuckets(never):  # type: ignore[arg-type]  # never called
        pass


@pytest.mark.parametrize(
    ("code", "expected"),
    [("InvalidObjectState", InvalidContent), ("AccessDenied", ClientError)],
)
async def test_what_a_store_says_of_an_object_is_told_in_the_terms_of_the_port(
    filled: Filled, code: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    monkeypatch.setattr(S3Client, "open", refuse)
    async with ExternalBuckets(filled.connect) as places:
        with pytest.raises(expected, match=f"“a.jpg” is archived|{code}"):
            await places.open(Source(f"s3://{filled.bucket}/a.jpg", "1"))


@pytest.mark.parametrize(("status", "expected"), [(403, BytesMissing), (500, Misconfigured)])
async def test_what_is_forbidden_is_missing_and_a_store_that_fails_is_refused(
    filled: Filled, status: int, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(**_: object) -> None:
        answer = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "HeadObject")

    async with filled.connect() as client:
        monkeypatch.setattr(client.client, "head_object", refuse)

        @asynccontextmanager
        async def same() -> AsyncIterator[S3Client]:
            yield client

        async with ExternalBuckets(same) as places:
            with pytest.raises(expected):
                await places.stat(f"s3://{filled.bucket}/a.jpg")


async def test_a_listing_that_breaks_off_is_refused_in_a_sentence(filled: Filled) -> None:
    await filled.put("a")
    root = f"s3://{filled.bucket}/"
    async with ExternalBuckets(filled.connect) as places:
        [key_range] = await places.split(root)
        with pytest.raises(Misconfigured, match="There is no bucket 'gone'"):
            _ = [each async for each in places.list("s3://gone/", key_range)]
