"""ExternalFolders beyond the contract of external files, and the parsing of roots."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import (
    KeyRange,
    ListedObject,
    SkippedLink,
    UnlistedFolder,
)
from domain.errors import BytesMissing, InvalidContent, Misconfigured
from infra.filesystem import external
from infra.filesystem.external import ExternalFolders
from infra.locations import location_of, root_of
from pictograph.cli.local_files import uploads_of

if TYPE_CHECKING:
    from pathlib import Path

    from domain.entities.external_objects import ListingEntry


async def names(root: Path, folders: ExternalFolders | None = None) -> list[str]:
    folders = folders or ExternalFolders()
    location = root_of(str(root))
    return [
        each.location.removeprefix(location)
        for key_range in await folders.split(location)
        async for each in folders.list(location, key_range)
        if isinstance(each, ListedObject)
    ]


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


async def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".b.jpg", ".hidden/c.jpg", "d/.e.jpg", "d/f.jpg")
    assert ["a.jpg", "d/f.jpg"] == await names(tmp_path)


async def test_symbolic_links_to_folders_and_out_of_the_root_are_not_followed(
    tmp_path: Path,
) -> None:
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


async def entries(root: Path) -> list[ListingEntry]:
    location = root_of(str(root))
    return [each async for each in ExternalFolders().list(location, KeyRange.below(location))]


async def test_links_that_are_not_followed_are_told(tmp_path: Path) -> None:
    make(tmp_path, "root/a.jpg", "outside/b.jpg")
    root = tmp_path / "root"
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "outside.jpg").symlink_to(tmp_path / "outside" / "b.jpg")
    links = [each for each in await entries(root) if isinstance(each, SkippedLink)]
    assert links == [SkippedLink(location_of(root / name)) for name in ("folder", "outside.jpg")]


async def test_an_ignore_file_leaves_out_what_is_in_its_folder(tmp_path: Path) -> None:
    make(
        tmp_path, "a.tif", "b/a.tif", "b/c.jpg", "b/drafts/d.jpg", "b/e/drafts.jpg", "drafts/f.jpg"
    )
    (tmp_path / "b" / ".pictographignore").write_text("# drafts\n*.tif\ndrafts/\n\n")
    assert ["a.tif", "b/c.jpg", "b/e/drafts.jpg", "drafts/f.jpg"] == await names(tmp_path)


async def test_copies_leave_out_the_same_and_name_folders_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.jpg", "@eaDir/a.jpg", "b/c.jpg", "b/d.tif", "lost+found/e.jpg", ".f.jpg")
    (tmp_path / "b" / ".pictographignore").write_text("*.tif")
    scandir = os.scandir

    def forbid(folder: str) -> object:
        if folder.endswith("lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", forbid)
    uploads, _ = uploads_of(tmp_path, ["c.*"])
    assert ["a.jpg", "lost+found/"] == [upload.filename for upload in uploads]
    with pytest.raises(InvalidContent, match=r"lost\+found/ cannot be listed .Permission denied."):
        await uploads[1].read()


async def test_every_path_of_a_folder_gives_the_same_root(tmp_path: Path) -> None:
    make(tmp_path, "root/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    folder, link = f"{tmp_path}/root", f"{tmp_path}/link"
    paths = (folder, f"{folder}/", link, f"{link}/", location_of(folder))
    assert {f"{location_of(tmp_path / 'root')}/"} == {root_of(path) for path in paths}
    assert ["a.jpg"] == await names(tmp_path / "link")


async def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert ["a.jpg"] == await names(tmp_path)
    for name in ("pipe", ""):
        with pytest.raises(BytesMissing):
            await ExternalFolders().stat(location_of(tmp_path / name))


async def test_a_folder_is_listed_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "FILES_PER_BATCH", 3)
    make(tmp_path, *(f"{number}.jpg" for number in range(10)))
    assert sorted(f"{number}.jpg" for number in range(10)) == await names(tmp_path)


async def test_the_librarys_own_files_are_neither_listed_nor_imported(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "data/files/ab/c", "data/other.jpg")
    folders = ExternalFolders((f"{location_of(tmp_path / 'data' / 'files')}/",))
    assert ["a.jpg", "data/other.jpg"] == await names(tmp_path, folders)
    for inside in ("data/files", "data/files/ab"):
        with pytest.raises(Misconfigured, match="keeps its own files"):
            await names(tmp_path / inside, folders)
    with pytest.raises(BytesMissing):
        await folders.stat(location_of(tmp_path / "data/files/ab/c"))


async def test_a_folder_removed_during_a_listing_is_reported(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    folders, location = ExternalFolders(), root_of(str(tmp_path))
    [key_range] = await folders.split(location)
    await asyncio.to_thread((tmp_path / "b" / "2.jpg").unlink)
    await asyncio.to_thread((tmp_path / "b").rmdir)
    [listed] = [each async for each in folders.list(location, key_range)]
    assert f"{location}a/1.jpg" == listed.location
    with pytest.raises(Misconfigured, match="cannot be listed"):
        _ = [each async for each in folders.list(f"{location}b/", key_range)]
    with pytest.raises(Misconfigured, match="There is no folder"):
        await folders.split(f"{location}b/")


async def test_files_that_vanish_with_their_disk_do_not_count_as_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.jpg", "b.jpg")

    def gone(*_: object) -> bool:
        raise FileNotFoundError

    monkeypatch.setattr(external._FolderWalk, "_is_below_root", gone)  # noqa: SLF001 - simulates an unmount
    assert [] == await names(tmp_path)
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with pytest.raises(Misconfigured, match=r"cannot be listed .*it was unmounted or replaced"):
        await names(tmp_path)


async def test_empty_folders_are_listed_as_such(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "disk/1.jpg", "hidden/.keep", "disk/empty/2.jpg")
    await asyncio.to_thread((tmp_path / "disk/empty/2.jpg").unlink)
    location = root_of(str(tmp_path))
    listed = [each async for each in ExternalFolders().list(location, KeyRange.below(location))]
    assert ["a.jpg", "disk/1.jpg", "disk/empty/", "hidden/"] == [
        each.location.removeprefix(location) for each in listed
    ]
    assert [UnlistedFolder(f"{location}{name}/") for name in ("disk/empty", "hidden")] == listed[2:]


async def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a/1.jpg", "lost+found/2.jpg", "z.jpg")
    scandir = os.scandir

    def forbid(folder: str) -> object:
        if folder.endswith("lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", forbid)
    location = root_of(str(tmp_path))
    listed = [each async for each in ExternalFolders().list(location, KeyRange.below(location))]
    [unlisted] = [each for each in listed if isinstance(each, UnlistedFolder)]
    assert f"{location}lost%2Bfound/" == unlisted.location
    assert "lost+found cannot be listed (permission denied)" in (unlisted.error or "")
    assert 3 == len(listed)


async def test_an_unreadable_file_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.jpg")
    listed = await ExternalFolders().stat(location_of(tmp_path / "a.jpg"))

    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(external, "FileIO", forbid)
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
def test_the_root_of_a_bucket_ends_in_a_slash(place: str, root: str) -> None:
    assert root == root_of(place)


@pytest.mark.parametrize("place", ["s3://", "http://x/y", "/no/such/folder", "file:///no/such"])
def test_a_root_that_is_neither_folder_nor_bucket_is_refused(place: str) -> None:
    with pytest.raises(Misconfigured, match=r"names no bucket|is no folder|There is no folder"):
        root_of(place)
