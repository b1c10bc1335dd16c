"""FolderStorage beyond the contract of storages."""

from __future__ import annotations

import errno
import os
import time
from io import FileIO
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Variant, uuid7
from domain.errors import BytesMissing, Misconfigured, Unavailable
from infra.filesystem.storage import FolderStorage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def folders_of_images(folder: Path) -> list[Path]:
    return list(folder.glob("*/*"))


async def test_a_key_is_a_file_in_the_shard_of_the_last_digits_of_its_id(
    storage: FolderStorage, tmp_path: Path
) -> None:
    image_id = uuid7()
    await storage.write(Variant.LARGE.key_of(image_id), b"bytes", content_type="image/webp")
    expected = tmp_path / image_id.hex[-2:] / str(image_id) / "large"
    assert [expected] == files(tmp_path)
    assert expected.read_bytes() == b"bytes"


async def test_a_failed_write_leaves_the_old_bytes(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Variant.ORIGINAL.key_of(uuid7())
    await storage.write(key, b"old", content_type="image/png")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="disk is full"):
        await storage.write(key, b"new", content_type="image/png")
    assert {b"old"} == {file.read_bytes() for file in files(tmp_path)}


async def test_deleting_the_last_variant_removes_the_folder_of_the_image(
    storage: FolderStorage, tmp_path: Path
) -> None:
    image_id = uuid7()
    keys = [variant.key_of(image_id) for variant in Variant]
    for key in keys:
        await storage.write(key, b"bytes", content_type="image/png")
    await storage.delete(keys[:1])
    assert len(folders_of_images(tmp_path)) == 1
    await storage.delete(keys[1:])
    assert folders_of_images(tmp_path) == []


async def test_temporary_files_of_a_crash_are_not_listed_and_removed_after_a_day(
    storage: FolderStorage, tmp_path: Path
) -> None:
    key = Variant.ORIGINAL.key_of(uuid7())
    await storage.write(key, b"bytes", content_type="image/png")
    [file] = files(tmp_path)
    fresh, stale = file.with_name(".unfinished-1"), file.with_name(".unfinished-2")
    abandoned = file.parent.parent / str(uuid7()) / ".unfinished-3"
    abandoned.parent.mkdir()
    for path in (fresh, stale, abandoned):
        path.write_bytes(b"half")
    for path in (stale, abandoned):
        os.utime(path, (0, time.time() - 25 * 60 * 60))
    assert [key] == [kept.key async for kept in storage.list()]
    assert {file, fresh} == set(files(tmp_path))
    assert not abandoned.parent.exists()


async def test_foreign_files_are_not_listed(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "ab" / str(uuid7())).mkdir(parents=True)
    for name in (
        "README",
        "ab/README",
        f"ab/{uuid7()}",
        f"ab/{next((tmp_path / 'ab').iterdir()).name}/raw",
    ):
        (tmp_path / name).write_bytes(b"mine")
    assert [kept async for kept in storage.list()] == []


async def test_a_reader_continues_after_its_file_is_deleted(storage: FolderStorage) -> None:
    key = Variant.ORIGINAL.key_of(uuid7())
    data = os.urandom(3 << 20)
    await storage.write(key, data, content_type="image/png")
    blob = await storage.open(key)
    beginning = await anext(blob.chunks)
    await storage.delete([key])
    assert data == beginning + b"".join([chunk async for chunk in blob.chunks])
    with pytest.raises(BytesMissing):
        await storage.open(key)


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misconfigured, match=r"Cannot store pictures .*Set PICTOGRAPH_DATA_DIR"):
        FolderStorage(tmp_path / "file" / "pictures")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "The server's disk is full"), (errno.EIO, "The server's disk does not work")],
)
async def test_a_full_or_broken_disk_is_an_outage_that_leaves_no_file(
    storage: FolderStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    sentence: str,
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    key = Variant.ORIGINAL.key_of(uuid7())
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable, match=sentence):
            await storage.write(key, b"bytes", content_type="image/png")
    assert [] == files(tmp_path)
    await storage.check()
    await storage.write(key, b"bytes", content_type="image/png")


async def test_a_sector_that_cannot_be_read_is_an_outage(
    storage: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Variant.ORIGINAL.key_of(uuid7())
    await storage.write(key, b"bytes", content_type="image/png")

    class FailingFile(FileIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("infra.filesystem.storage.FileIO", FailingFile)
    blob = await storage.open(key)
    with pytest.raises(Unavailable, match="disk does not work"):
        _ = [chunk async for chunk in blob.chunks]
