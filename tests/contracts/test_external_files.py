"""The contract of external files and their listings."""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from domain.entities.external_objects import ListedObject
from domain.entities.images import Source
from domain.entities.storage import ByteRange
from domain.errors import BytesMissing
from domain.use_cases.library.read import read_all
from infra.external_files import ExternalLocations
from infra.filesystem.external import ExternalFolders
from infra.locations import bucket_and_key, location_of, path_of
from infra.s3.client import S3Client
from infra.s3.external import ExternalBuckets
from tests.fakes.object_listing import MemoryObjectListing
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

DATA = bytes(range(256)) * 4096


class ExternalRoot(Protocol):
    """A root, and methods that change the objects below it."""

    listing: MemoryObjectListing | ExternalLocations
    root: str

    @abstractmethod
    async def put(self, name: str, data: bytes) -> str: ...

    @abstractmethod
    async def remove(self, name: str) -> None: ...

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> bytes:
        opener = (
            self.listing.external_files
            if isinstance(self.listing, MemoryObjectListing)
            else self.listing
        )
        return await read_all(await opener.open(source, byte_range))

    async def list(self) -> list[ListedObject]:
        return [
            listed
            for key_range in await self.listing.split(self.root)
            async for listed in self.listing.list(self.root, key_range)
            if isinstance(listed, ListedObject)
        ]


class MemoryRoot(ExternalRoot):
    def __init__(self) -> None:
        self.listing: MemoryObjectListing | ExternalLocations = MemoryObjectListing()
        self.root = "s3://photos/below/"
        self.versions = 0

    async def put(self, name: str, data: bytes) -> str:
        assert isinstance(self.listing, MemoryObjectListing)
        self.versions += 1
        self.listing.put(self.root + name, data, version=str(self.versions))
        return self.root + name

    async def remove(self, name: str) -> None:
        assert isinstance(self.listing, MemoryObjectListing)
        self.listing.remove(self.root + name)


class FolderRoot(ExternalRoot):
    def __init__(self, folder: Path, listing: ExternalLocations) -> None:
        self.listing = listing
        self.root = f"{location_of(folder)}/"
        self.folder = folder

    async def put(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return location_of(path)

    async def remove(self, name: str) -> None:
        (self.folder / name).unlink()


class BucketRoot(ExternalRoot):
    def __init__(self, client: S3Client, listing: ExternalLocations, bucket: str) -> None:
        self.listing = listing
        self.root = f"s3://{bucket}/below/"
        self.client = client.client
        self.bucket = bucket

    async def put(self, name: str, data: bytes) -> str:
        await self.client.put_object(Bucket=self.bucket, Key=f"below/{name}", Body=data)
        return self.root + name

    async def remove(self, name: str) -> None:
        await self.client.delete_object(Bucket=self.bucket, Key=f"below/{name}")


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["memory", "folder", "s3"])
async def external(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str
) -> AsyncIterator[ExternalRoot]:
    connect = partial(
        S3Client.connect,
        endpoint_url=s3_url,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=ACCESS_KEY,
    )
    async with AsyncExitStack() as stack:
        buckets = await stack.enter_async_context(ExternalBuckets(connect))
        listing = ExternalLocations(ExternalFolders(), lambda: buckets)
        match request.param:
            case "memory":
                yield MemoryRoot()
            case "folder":
                (tmp_path / "below").mkdir()
                yield FolderRoot(tmp_path / "below", listing)
            case _:
                client = await stack.enter_async_context(connect())
                yield BucketRoot(client, listing, await asyncio.to_thread(create_bucket, s3_url))


async def test_objects_are_listed_in_order_and_read(external: ExternalRoot) -> None:
    names = ["b.jpg", "a/x", "a.jpg", "a-1", "ä/ö ü.jpg", "a/b/c", "100%.jpg", "q?#&+.png", "Z"]
    locations = {await external.put(name, name.encode()) for name in names}
    listed = await external.list()
    assert sorted(locations) == [each.source.location for each in listed]
    for each in listed:
        data = await external.open(each.source)
        assert len(data) == each.byte_size
        assert each.source.name == data.decode().rpartition("/")[2]
        assert each == await external.listing.stat(each.source.location)


async def test_the_listing_of_an_empty_root_is_empty(external: ExternalRoot) -> None:
    assert [] == await external.list()


async def test_a_version_changes_only_with_its_object(
    external: ExternalRoot,
) -> None:
    await external.put("a", b"one")
    await external.put("b", b"two")
    before = await external.list()
    assert before == await external.list()
    await external.put("a", b"three")
    after = await external.list()
    assert [True, False] == [
        old.source.version != new.source.version for old, new in zip(before, after, strict=True)
    ]
    assert b"three" == await external.open(after[0].source)
    with pytest.raises(BytesMissing):
        await external.open(before[0].source)
    with pytest.raises(BytesMissing):
        await external.open(before[0].source, ByteRange(0, 0))


async def test_a_removed_object_raises_bytes_missing(external: ExternalRoot) -> None:
    location = await external.put("a", b"one")
    [listed] = await external.list()
    await external.remove("a")
    assert [] == await external.list()
    with pytest.raises(BytesMissing):
        await external.open(listed.source)
    with pytest.raises(BytesMissing):
        await external.listing.stat(location)


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (ByteRange(0, 0), DATA[:1]),
        (ByteRange(10, 19), DATA[10:20]),
        (ByteRange(len(DATA) - 5), DATA[-5:]),
        (ByteRange(-7), DATA[-7:]),
    ],
)
async def test_a_range_is_read(
    external: ExternalRoot, byte_range: ByteRange, expected: bytes
) -> None:
    await external.put("a", DATA)
    [listed] = await external.list()
    assert expected == await external.open(listed.source, byte_range)


async def test_an_empty_range_raises_value_error(external: ExternalRoot) -> None:
    await external.put("a", b"one")
    [listed] = await external.list()
    with pytest.raises(ValueError, match="range"):
        await external.open(listed.source, ByteRange(3))


async def test_a_location_of_an_unknown_scheme_raises_bytes_missing(external: ExternalRoot) -> None:
    with pytest.raises(BytesMissing):
        await external.listing.stat("gopher://photos/1")
    with pytest.raises(BytesMissing):
        await external.open(Source("gopher://photos/1", "1"))


def test_paths_of_any_bytes_survive_the_conversion_to_a_location(tmp_path: Path) -> None:
    for name in ("plain.jpg", "100% ä?#.jpg", os.fsdecode(b"\xff\xfe.jpg")):
        assert tmp_path / name == path_of(location_of(tmp_path / name))
    assert ("b", "a/b c%20") == bucket_and_key("s3://b/a/b c%20")
