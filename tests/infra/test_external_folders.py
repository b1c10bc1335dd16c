"""What folders promise beyond the contract of a place."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from domain.errors import BytesMissing, InvalidContent, Misconfigured
from infra.filesystem import external as module
from infra.filesystem.external import ExternalFolders
from infra.locations import location_of, root_of

if TYPE_CHECKING:
    from pathlib import Path


async def names(root: Path, places: ExternalFolders | None = None) -> list[str]:
    places = places or ExternalFolders()
    location = root_of(str(root))
    return [
        each.source.location.removeprefix(location)
        for key_range in await places.split(location)
        async for each in places.list(location, key_range)
    ]


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


async def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".b.jpg", ".hidden/c.jpg", "d/.e.jpg", "d/f.jpg")
    assert ["a.jpg", "d/f.jpg"] == await names(tmp_path)


async def test_links_out_of_the_root_and_to_folders_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "root/a.jpg", "root/b/c.jpg", "outside/d.jpg", "root-too/e.jpg")
    root = tmp_path / "root"
    (root / "inside.jpg").symlink_to(root / "b" / "c.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "outside" / "d.jpg")
    (root / "beside.jpg").symlink_to(tmp_path / "root-too" / "e.jpg")
    (root / "nothing.jpg").symlink_to(root / "none")
    (root / "round").symlink_to(root)
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "itself.jpg").symlink_to(root / "itself.jpg")
    (root / "in-a-file.jpg").symlink_to(root / "a.jpg" / "b.jpg")
    assert ["a.jpg", "b/c.jpg", "inside.jpg"] == await names(root)


async def test_a_folder_is_the_same_by_whichever_way_it_is_reached(tmp_path: Path) -> None:
    make(tmp_path, "root/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    folder, link = f"{tmp_path}/root", f"{tmp_path}/link"
    ways = (folder, f"{folder}/", link, f"{link}/", location_of(folder))
    assert {f"{location_of(tmp_path / 'root')}/"} == {root_of(way) for way in ways}
    assert ["a.jpg"] == await names(tmp_path / "link")


async def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert ["a.jpg"] == await names(tmp_path)
    for name in ("pipe", ""):
        with pytest.raises(BytesMissing):
            await ExternalFolders().stat(location_of(tmp_path / name))


async def test_a_folder_is_listed_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    make(tmp_path, *(f"{number}.jpg" for number in range(10)))
    assert sorted(f"{number}.jpg" for number in range(10)) == await names(tmp_path)


async def test_the_librarys_own_files_are_left_out_and_no_root(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "data/files/ab/c", "data/other.jpg")
    places = ExternalFolders((f"{location_of(tmp_path / 'data' / 'files')}/",))
    assert ["a.jpg", "data/other.jpg"] == await names(tmp_path, places)
    for inside in ("data/files", "data/files/ab"):
        with pytest.raises(Misconfigured, match="keeps its own files"):
            await names(tmp_path / inside, places)
    with pytest.raises(BytesMissing):
        await places.stat(location_of(tmp_path / "data/files/ab/c"))


async def test_a_folder_that_goes_away_while_it_is_listed_is_said_to(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    places, location = ExternalFolders(), root_of(str(tmp_path))
    [key_range] = await places.split(location)
    await asyncio.to_thread((tmp_path / "b" / "2.jpg").unlink)
    await asyncio.to_thread((tmp_path / "b").rmdir)
    listed = [each async for each in places.list(location, key_range)]
    assert 1 == len(listed)
    with pytest.raises(Misconfigured, match="cannot be listed"):
        _ = [each async for each in places.list(f"{location}b/", key_range)]
    with pytest.raises(Misconfigured, match="There is no folder"):
        await places.split(f"{location}b/")


async def test_files_that_vanish_with_their_disk_are_not_taken_to_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.jpg", "b.jpg")

    def gone(*_: object) -> bool:
        raise FileNotFoundError

    monkeypatch.setattr(module._Walk, "_stays", gone)  # noqa: SLF001 - as if the disk went now
    assert [] == await names(tmp_path)
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with pytest.raises(Misconfigured, match=r"cannot be listed .*it went away meanwhile"):
        await names(tmp_path)


async def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.jpg")
    listed = await ExternalFolders().stat(location_of(tmp_path / "a.jpg"))

    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(module, "FileIO", forbid)
    with pytest.raises(InvalidContent, match=r"“a.jpg” cannot be read .permission denied."):
        await ExternalFolders().open(listed.source)


@pytest.mark.parametrize(
    ("place", "root"),
    [
        ("s3://b", "s3://b/"),
        ("s3://b/", "s3://b/"),
        ("s3://b/a/b", "s3://b/a/b/"),
        ("s3://b/a b%20/", "s3://b/a b%20/"),
    ],
)
def test_a_bucket_is_named_with_or_without_a_slash(place: str, root: str) -> None:
    assert root == root_of(place)


@pytest.mark.parametrize("place", ["s3://", "http://x/y", "/no/such/folder", "file:///no/such"])
def test_what_is_neither_folder_nor_bucket_is_refused(place: str) -> None:
    with pytest.raises(Misconfigured, match=r"names no bucket|is no folder|There is no folder"):
        root_of(place)
