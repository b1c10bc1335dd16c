"""Local files as uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.passed_over import PassedOver
from domain.errors import InvalidContent, Misconfigured
from pictograph.cli.local_files import upload_of, uploads_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_folder_is_read_with_subfolders_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.jpg", ".hidden.jpg", ".cache/d.jpg", "a/.e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    uploads, passed_over = uploads_of(tmp_path)
    assert not passed_over
    assert ["a/c.jpg", "b.jpg"] == [upload.filename for upload in uploads]
    assert [7, 5] == [upload.size for upload in uploads]
    assert b"a/c.jpg" == await uploads[0].read()


def test_files_that_are_no_pictures_are_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.xmp", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    uploads, passed_over = uploads_of(tmp_path)
    assert ["a.jpg"] == [upload.filename for upload in uploads]
    assert {PassedOver.SIDECAR: 1, PassedOver.VIDEO: 2} == passed_over


def test_a_file_is_one_upload(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a")
    [upload], _ = uploads_of(tmp_path / "a.jpg")
    assert ("a.jpg", 1) == (upload.filename, upload.size)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"^There is no folder /.*/photos; check how "):
        uploads_of(tmp_path / "photos")


async def test_a_file_deleted_before_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.touch()
    upload = upload_of(file, "a.jpg")
    file.unlink()
    with pytest.raises(InvalidContent, match=r"“a\.jpg” cannot be read \(No such file "):
        await upload.read()
