"""The contract of storages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Variant, uuid7
from domain.entities.storage import ByteRange
from domain.errors import BytesMissing
from infra.filesystem.storage import FolderStorage
from tests.fakes.storage import MemoryStorage
from tests.s3_server import connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from domain.ports import Storage

DATA = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@asynccontextmanager
async def _storage(kind: str, folder: Path, *, url: str) -> AsyncIterator[Storage]:
    match kind:
        case "memory":
            yield MemoryStorage()
        case "folder":
            yield FolderStorage(folder / "pictures")
        case _:
            async with connect(
                await asyncio.to_thread(create_bucket, url), url, prefix="a/b"
            ) as storage:
                yield storage


@pytest.fixture(params=["memory", "folder", "s3"])
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str
) -> AsyncIterator[Storage]:
    async with _storage(request.param, tmp_path, url=s3_url) as opened:
        yield opened


def a_key(variant: Variant = Variant.ORIGINAL) -> str:
    return variant.key_of(uuid7())


async def read(storage: Storage, key: str, byte_range: ByteRange | None = None) -> bytes:
    blob = await storage.open(key, byte_range)
    return b"".join([chunk async for chunk in blob.chunks])


async def keys(storage: Storage) -> set[str]:
    return {kept.key async for kept in storage.list()}


async def test_written_bytes_are_read_in_chunks(storage: Storage) -> None:
    key = a_key()
    await storage.write(key, DATA, content_type="image/png")
    blob = await storage.open(key)
    chunks = [chunk async for chunk in blob.chunks]
    assert len(DATA) == blob.size
    assert b"".join(chunks) == DATA
    assert len(chunks) > 1
    assert all(chunks)


async def test_an_object_may_be_empty(storage: Storage) -> None:
    key = a_key()
    await storage.write(key, b"", content_type="image/png")
    assert await read(storage, key) == b""
    with pytest.raises(ValueError, match="range"):
        await storage.open(key, ByteRange(0))


async def test_a_second_write_replaces_the_first(storage: Storage) -> None:
    key = a_key()
    await storage.write(key, b"first", content_type="image/png")
    await storage.write(key, b"second", content_type="image/png")
    assert await read(storage, key) == b"second"


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (ByteRange(0), DATA),
        (ByteRange(0, 0), DATA[:1]),
        (ByteRange(10, 19), DATA[10:20]),
        (ByteRange(len(DATA) - 5), DATA[-5:]),
        (ByteRange(5, 10 * len(DATA)), DATA[5:]),
        (ByteRange(-7), DATA[-7:]),
        (ByteRange(-10 * len(DATA)), DATA),
    ],
)
async def test_a_range_is_read_and_the_size_is_that_of_the_object(
    storage: Storage, byte_range: ByteRange, expected: bytes
) -> None:
    key = a_key()
    await storage.write(key, DATA, content_type="image/png")
    blob = await storage.open(key, byte_range)
    assert len(DATA) == blob.size
    assert expected == b"".join([chunk async for chunk in blob.chunks])


@pytest.mark.parametrize(
    "byte_range", [ByteRange(len(DATA)), ByteRange(10 * len(DATA), 11 * len(DATA)), ByteRange(5, 4)]
)
async def test_an_empty_range_raises_value_error(storage: Storage, byte_range: ByteRange) -> None:
    key = a_key()
    await storage.write(key, DATA, content_type="image/png")
    with pytest.raises(ValueError, match="range"):
        await storage.open(key, byte_range)


async def test_a_missing_key_raises_bytes_missing(storage: Storage) -> None:
    key = a_key()
    with pytest.raises(BytesMissing, match=key):
        await storage.open(key)
    with pytest.raises(BytesMissing, match=key):
        await storage.open(key, ByteRange(3))


async def test_a_reader_may_stop_before_the_first_chunk_or_the_last(storage: Storage) -> None:
    key = a_key()
    await storage.write(key, DATA, content_type="image/png")
    started = await storage.open(key)
    assert await anext(started.chunks)
    await started.chunks.aclose()
    unread = await storage.open(key)
    await unread.chunks.aclose()
    assert await read(storage, key) == DATA


async def test_deleting_is_idempotent(storage: Storage) -> None:
    gone, kept = a_key(), a_key()
    for key in (gone, kept):
        await storage.write(key, DATA, content_type="image/png")
    await storage.delete([gone, a_key()])
    await storage.delete([gone])
    await storage.delete([])
    assert {kept} == await keys(storage)
    with pytest.raises(BytesMissing):
        await storage.open(gone)


async def test_variants_of_an_image_are_deleted_separately(storage: Storage) -> None:
    image_id = uuid7()
    for variant in Variant:
        await storage.write(variant.key_of(image_id), DATA[:9], content_type="image/png")
    await storage.delete([Variant.LARGE.key_of(image_id)])
    expected = {Variant.ORIGINAL.key_of(image_id), Variant.THUMBNAIL.key_of(image_id)}
    assert expected == await keys(storage)


async def test_the_listing_has_modification_times(storage: Storage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    written = {a_key(variant) for variant in Variant}
    for key in written:
        await storage.write(key, b"bytes", content_type="image/webp")
    listed = [kept async for kept in storage.list()]
    assert written == {kept.key for kept in listed}
    for kept in listed:
        assert before < kept.modified_at < datetime.now(UTC) + timedelta(seconds=2)


async def test_the_listing_of_an_empty_storage_is_empty(storage: Storage) -> None:
    assert await keys(storage) == set()


async def test_invalid_keys_raise_value_error(storage: Storage) -> None:
    image_id = uuid7()
    for key in (
        "",
        "original",
        f"{image_id}",
        f"{image_id}/",
        f"{image_id}/raw",
        f"{image_id}/original/",
        f"/{image_id}/original",
        f"../{image_id}/original",
        f"{image_id}/../../etc/passwd",
        f"{image_id}".upper() + "/original",
        f"{image_id.hex}/original",
        f"{{{image_id}}}/original",
        f"{image_id}/original\0",
    ):
        with pytest.raises(ValueError, match="is not a key of an image"):
            await storage.write(key, b"bytes", content_type="image/png")
        with pytest.raises(ValueError, match="is not a key of an image"):
            await storage.open(key)
        with pytest.raises(ValueError, match="is not a key of an image"):
            await storage.delete([key])
    assert await keys(storage) == set()


async def test_concurrent_writes_succeed(storage: Storage) -> None:
    same = a_key()
    others = [a_key() for _ in range(20)]
    await asyncio.gather(
        *(storage.write(same, DATA, content_type="image/png") for _ in range(10)),
        *(storage.write(key, DATA, content_type="image/png") for key in others),
        *(storage.delete([a_key()]) for _ in range(5)),
    )
    assert {same, *others} == await keys(storage)
    assert await read(storage, same) == DATA
