"""What every place outside of the library promises: how it is listed, and how it is read."""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

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
from tests.s3_server import KEY, bucket_of, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from domain.entities.external_objects import ListedObject

DATA = bytes(range(256)) * 4096


class Place(Protocol):
    """A root, and a way to change what lies below it."""

    places: MemoryObjectListing | ExternalLocations
    root: str

    @abstractmethod
    async def put(self, name: str, data: bytes) -> str: ...

    @abstractmethod
    async def remove(self, name: str) -> None: ...

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> bytes:
        opener = (
            self.places.external_files
            if isinstance(self.places, MemoryObjectListing)
            else self.places
        )
        return await read_all(await opener.open(source, byte_range))

    async def list(self) -> list[ListedObject]:
        return [
            listed
            for key_range in await self.places.split(self.root)
            async for listed in self.places.list(self.root, key_range)
        ]


class MemoryPlace(Place):
    def __init__(self) -> None:
        self.places: MemoryObjectListing | ExternalLocations = MemoryObjectListing()
        self.root = "s3://photos/below/"
        self.versions = 0

    async def put(self, name: str, data: bytes) -> str:
        assert isinstance(self.places, MemoryObjectListing)
        self.versions += 1
        self.places.put(self.root + name, data, version=str(self.versions))
        return self.root + name

    async def remove(self, name: str) -> None:
        assert isinstance(self.places, MemoryObjectListing)
        self.places.remove(self.root + name)


class FolderPlace(Place):
    def __init__(self, folder: Path, places: ExternalLocations) -> None:
        self.places = places
        self.root = f"{location_of(folder)}/"
        self.folder = folder

    async def put(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return location_of(path)

    async def remove(self, name: str) -> None:
        (self.folder / name).unlink()


class BucketPlace(Place):
    def __init__(self, client: S3Client, places: ExternalLocations, bucket: str) -> None:
        self.places = places
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
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str
) -> AsyncIterator[Place]:
    connect = partial(
        S3Client.connect,
        endpoint_url=s3_url,
        region="us-east-1",
        access_key_id=KEY,
        secret_access_key=KEY,
    )
    async with AsyncExitStack() as stack:
        buckets = await stack.enter_async_context(ExternalBuckets(connect))
        places = ExternalLocations(ExternalFolders(), buckets)
        match request.param:
            case "memory":
                yield MemoryPlace()
            case "folder":
                (tmp_path / "below").mkdir()
                yield FolderPlace(tmp_path / "below", places)
            case _:
                client = await stack.enter_async_context(connect())
                yield BucketPlace(client, places, await asyncio.to_thread(bucket_of, s3_url))


async def test_what_lies_there_is_listed_in_order_and_read(place: Place) -> None:
    names = ["b.jpg", "a/x", "a.jpg", "a-1", "ä/ö ü.jpg", "a/b/c", "100%.jpg", "q?#&+.png", "Z"]
    locations = {await place.put(name, name.encode()) for name in names}
    listed = await place.list()
    assert sorted(locations) == [each.source.location for each in listed]
    for each in listed:
        data = await place.open(each.source)
        assert len(data) == each.byte_size
        assert each.source.name == data.decode().rpartition("/")[2]
        assert each == await place.places.stat(each.source.location)


async def test_an_empty_place_lists_nothing(place: Place) -> None:
    assert [] == await place.list()


async def test_what_has_not_changed_is_the_same_version_and_what_has_is_another(
    place: Place,
) -> None:
    await place.put("a", b"one")
    await place.put("b", b"two")
    before = await place.list()
    assert before == await place.list()
    await place.put("a", b"three")
    after = await place.list()
    assert [True, False] == [
        old.source.version != new.source.version for old, new in zip(before, after, strict=True)
    ]
    assert b"three" == await place.open(after[0].source)
    with pytest.raises(BytesMissing):
        await place.open(before[0].source)
    with pytest.raises(BytesMissing):
        await place.open(before[0].source, ByteRange(0, 0))


async def test_what_is_gone_is_missing(place: Place) -> None:
    location = await place.put("a", b"one")
    [listed] = await place.list()
    await place.remove("a")
    assert [] == await place.list()
    with pytest.raises(BytesMissing):
        await place.open(listed.source)
    with pytest.raises(BytesMissing):
        await place.places.stat(location)


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (ByteRange(0, 0), DATA[:1]),
        (ByteRange(10, 19), DATA[10:20]),
        (ByteRange(len(DATA) - 5), DATA[-5:]),
        (ByteRange(-7), DATA[-7:]),
    ],
)
async def test_a_range_is_read_alone(place: Place, byte_range: ByteRange, expected: bytes) -> None:
    await place.put("a", DATA)
    [listed] = await place.list()
    assert expected == await place.open(listed.source, byte_range)


async def test_a_range_without_a_byte_is_a_value_error(place: Place) -> None:
    await place.put("a", b"one")
    [listed] = await place.list()
    with pytest.raises(ValueError, match="range"):
        await place.open(listed.source, ByteRange(3))


async def test_a_location_that_nobody_holds_is_missing(place: Place) -> None:
    with pytest.raises(BytesMissing):
        await place.places.stat("gopher://photos/1")
    with pytest.raises(BytesMissing):
        await place.open(Source("gopher://photos/1", "1"))


def test_names_of_any_bytes_have_a_location_and_come_back(tmp_path: Path) -> None:
    for name in ("plain.jpg", "100% ä?#.jpg", os.fsdecode(b"\xff\xfe.jpg")):
        assert tmp_path / name == path_of(location_of(tmp_path / name))
    assert ("b", "a/b c%20") == bucket_and_key("s3://b/a/b c%20")
