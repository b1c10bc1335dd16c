"""Imports of real folders and buckets into PostgreSQL, with pictures of a test format."""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from domain.entities.external_objects import MISSING_GRACE_PERIOD, ImportCounts
from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageChanges, Variant
from domain.entities.listing import Sort, Window
from domain.errors import Misconfigured
from domain.use_cases.imports.forget_missing import ForgetMissing
from domain.use_cases.imports.reconcile import ReconcileObjects
from domain.use_cases.indexing import IndexImages
from domain.use_cases.library.edit import DeleteImages
from domain.use_cases.library.read import ReadImage, read_all
from domain.use_cases.library.render_large import RenderLarge
from infra.external_files import ExternalLocations
from infra.filesystem.external import ExternalFolders
from infra.locations import location_of
from infra.postgres.catalog.renditions import PostgresRenditions
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.engine import open_engine
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.missing_objects import PostgresMissingObjects
from infra.postgres.work.work import PostgresWorkQueue
from infra.s3.client import S3Client
from infra.s3.external import ExternalBuckets
from tests.fakes.clock import SettableClock
from tests.fakes.encoder import FakeEncoder
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.storage import MemoryStorage
from tests.postgres_library import PostgresLibrary
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image
    from domain.entities.storage import Blob, ByteRange


def picture(number: int, words: str = "") -> bytes:
    """Return a picture; ``words`` are its metadata."""
    return picture_file((number, 0, 1), words=words)


class Place(Protocol):
    """A folder or a bucket, and what other programs do there."""

    root: str

    @abstractmethod
    async def put(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    async def remove(self, name: str) -> None: ...

    @abstractmethod
    async def touch(self, name: str) -> None:
        """Write the same bytes as another version."""

    @abstractmethod
    async def read(self, name: str) -> bytes: ...

    async def move(self, before: str, after: str) -> None:
        data = await self.read(before)
        await self.remove(before)
        await self.put(after, data)


class Folder(Place):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = f"{location_of(folder)}/"

    async def put(self, name: str, data: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)

    async def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    async def touch(self, name: str) -> None:
        status = (self.folder / name).stat()
        os.utime(self.folder / name, ns=(status.st_atime_ns, status.st_mtime_ns + 3_600 * 10**9))

    async def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    async def move(self, before: str, after: str) -> None:
        (self.folder / after).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / before).rename(self.folder / after)


class Bucket(Place):
    def __init__(self, client: S3Client, bucket: str) -> None:
        self.client = client.client
        self.bucket = bucket
        self.root = f"s3://{bucket}/holiday/"

    async def put(self, name: str, data: bytes) -> None:
        await self.client.put_object(Bucket=self.bucket, Key=f"holiday/{name}", Body=data)

    async def remove(self, name: str) -> None:
        await self.client.delete_object(Bucket=self.bucket, Key=f"holiday/{name}")

    async def touch(self, name: str) -> None:
        """Upload in parts: the ETag is not the digest of the bytes any more."""
        at = {"Bucket": self.bucket, "Key": f"holiday/{name}"}
        data = await self.read(name)
        upload = at | {"UploadId": (await self.client.create_multipart_upload(**at))["UploadId"]}
        part = await self.client.upload_part(**upload, PartNumber=1, Body=data)
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        await self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    async def read(self, name: str) -> bytes:
        found = await self.client.get_object(Bucket=self.bucket, Key=f"holiday/{name}")
        async with found["Body"] as body:
            return bytes(await body.read())


@dataclass
class Reads:
    """External files that count how often one is opened."""

    files: ExternalLocations
    count: int = 0

    async def open(self, source: object, byte_range: ByteRange | None = None) -> Blob:
        self.count += 1
        return await self.files.open(source, byte_range)  # type: ignore[arg-type]  # passed through


@dataclass
class ImportedPlace:
    """A place and the library that it is imported into."""

    place: Place
    listing: ExternalLocations
    engine: AsyncEngine
    catalog: PostgresLibrary
    encoder: FakeEncoder = field(default_factory=FakeEncoder)
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    became: ImportCounts = field(default_factory=ImportCounts)

    def __post_init__(self) -> None:
        model = self.catalog.model
        assert model
        self.reads = Reads(self.listing)
        objects = PostgresExternalObjects(self.engine, model)
        self.reconcile = ReconcileObjects(self.listing, objects)
        self.forget = ForgetMissing(
            PostgresMissingObjects(self.engine), self.storage, SettableClock(), MISSING_GRACE_PERIOD
        )
        render_large = RenderLarge(
            FakeImaging(),
            self.catalog,
            self.storage,
            self.listing,
            PostgresRenditions(self.engine),
        )
        self.read_image = ReadImage(self.storage, self.listing, render_large)
        self.index = IndexImages(
            self.encoder,
            FakeImaging(),
            self.storage,
            self.reads,
            self.read_image,
            PostgresWorkQueue(self.engine, model),
            SettableClock(),
            1_000,
        )

    async def run(self) -> tuple[int, int]:
        """Import the place; return how many files were read, and how many were embedded."""
        read, embedded = self.reads.count, len(self.encoder.pictures)
        summary = await self.reconcile(self.place.root)
        async for _ in self.index():
            pass
        await self.forget(summary)
        self.became = await self.forget.count(summary)
        return self.reads.count - read, len(self.encoder.pictures) - embedded

    async def images(self) -> dict[str, Image]:
        page = await self.catalog.list(EVERYTHING, Sort(), Window(100))
        return {
            image.source.location.removeprefix(self.place.root): image
            for image in page.images
            if image.source
        }

    async def described(self) -> dict[str, Image]:
        """Return the images after a person has described them."""
        for image in (await self.images()).values():
            await self.catalog.update(image.id, ImageChanges(alt_text="A quay", rating=4))
            await self.catalog.tag([image.id], add=["mine"])
        return await self.images()

    async def delete(self, image: Image, *, trash_lifetime: timedelta) -> None:
        trash = PostgresTrash(self.engine)
        delete = DeleteImages(self.catalog, trash, self.storage, SettableClock(), trash_lifetime)
        await delete([image.id])


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
async def imported(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str, postgres_url: str
) -> AsyncIterator[ImportedPlace]:
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
        if request.param == "folder":
            place: Place = Folder(tmp_path)
        else:
            client = await stack.enter_async_context(connect())
            place = Bucket(client, await asyncio.to_thread(create_bucket, s3_url))
        engine = await stack.enter_async_context(open_engine(postgres_url))
        catalog = await PostgresLibrary.open(engine, FakeEncoder().model)
        yield ImportedPlace(place, listing, engine, catalog)


def facts(image: Image) -> tuple[object, ...]:
    """Return what people see and edit, without what the file says."""
    return image.id, image.created_at, image.alt_text, image.rating, image.tags, image.status


async def test_files_that_are_renamed_touched_swapped_or_rewritten_keep_their_images(
    imported: ImportedPlace,
) -> None:
    place = imported.place
    for number in range(4):
        await place.put(f"a/{number}", picture(number))
    assert (4, 4) == await imported.run()
    before = await imported.described()
    assert (0, 0) == await imported.run()

    for number in range(4):
        await place.move(f"a/{number}", f"b/{number}")
    assert (4, 0) == await imported.run()
    moved = await imported.images()
    assert [facts(before[f"a/{number}"]) for number in range(4)] == [
        facts(moved[f"b/{number}"]) for number in range(4)
    ]
    assert ImportCounts(recognised=4) == imported.became

    for number in range(4):
        await place.touch(f"b/{number}")
    assert (4, 0) == await imported.run()
    touched = await imported.images()
    assert {name: facts(each) for name, each in moved.items()} == {
        name: facts(each) for name, each in touched.items()
    }
    assert (0, 0) == await imported.run()
    for name, image in touched.items():
        blob = await imported.read_image(image, Variant.ORIGINAL)
        assert await place.read(name) == await read_all(blob)

    await place.put("b/0", picture(0, "rated"))
    await place.move("b/2", "b/swap")
    await place.move("b/3", "b/2")
    await place.move("b/swap", "b/3")
    assert (3, 1) == await imported.run()
    after = await imported.images()
    for name, old_name in {"b/0": "b/0", "b/1": "b/1", "b/2": "b/3", "b/3": "b/2"}.items():
        assert facts(touched[old_name]) == facts(after[name])
    assert len(picture(0, "rated")) == after["b/0"].byte_size
    assert touched["b/0"].sha256 != after["b/0"].sha256
    assert 0 == imported.became.missing
    assert (0, 0) == await imported.run()


@pytest.mark.parametrize("days", [0, 30], ids=["without trash", "in the trash"])
async def test_deleted_images_stay_deleted_while_their_files_are_touched_moved_or_rewritten(
    imported: ImportedPlace, days: int
) -> None:
    place = imported.place
    for number in range(4):
        await place.put(str(number), picture(number))
    await imported.run()
    before = await imported.images()
    for number in range(3):
        await imported.delete(before[str(number)], trash_lifetime=timedelta(days=days))
    await place.touch("0")
    await place.move("1", "moved")
    await place.put("2", picture(2, "rated"))
    assert (3, 1) == await imported.run()
    assert {"3": before["3"]} == await imported.images()
    await place.touch("moved")
    await place.put("2", picture(2))
    assert (2, 0) == await imported.run()
    assert {"3": before["3"]} == await imported.images()


async def test_a_copy_is_the_same_image_and_an_image_stays_with_its_last_file(
    imported: ImportedPlace,
) -> None:
    place = imported.place
    await place.put("a", picture(1))
    await imported.run()
    [before] = (await imported.described()).values()
    await place.put("b", picture(1))
    assert (1, 0) == await imported.run()
    await place.remove("a")
    assert (0, 0) == await imported.run()
    assert {"b": facts(before)} == {
        name: facts(each) for name, each in (await imported.images()).items()
    }
    await place.put("other", picture(2))
    await place.remove("b")
    await imported.run()
    assert {"other"} == set(await imported.images())
    assert ImportCounts(missing=1) == imported.became
    assert (0, 0) == await imported.run()
    assert ImportCounts(missing=1) == imported.became
    await place.put("b", picture(1))
    # The time of the file is new, the ETag of the object is as before.
    assert (int(isinstance(place, Folder)), 0) == await imported.run()
    after = (await imported.images())["b"]
    assert facts(before) == facts(after)
    assert {after.id} == set(await imported.catalog.embeddings([after.id]))
    assert 0 == imported.became.missing


async def test_an_empty_or_vanished_place_changes_nothing(imported: ImportedPlace) -> None:
    place = imported.place
    await place.put("disk/1", picture(1))
    await imported.run()
    before = await imported.images()
    await place.remove("disk/1")
    if isinstance(place, Folder):
        # The folder of a disk that is not mounted.
        assert (0, 0) == await imported.run()
        assert ImportCounts(unlisted=1) == imported.became
        (place.folder / "disk").rmdir()
    with pytest.raises(Misconfigured, match="all 1 known objects would count as missing"):
        await imported.run()
    if isinstance(place, Folder):
        place.folder.rmdir()
    elif isinstance(place, Bucket):
        await place.client.delete_bucket(Bucket=place.bucket)
    with pytest.raises(Misconfigured, match="There is no"):
        await imported.run()
    assert before == await imported.images()
