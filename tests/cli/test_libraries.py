"""Which library a command opens, and what it says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured
from infra.data_folder import default_data_folder, user_data_folder
from infra.settings import read_settings
from pictograph.cli.libraries import say_which_library
from pictograph.running import library_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a user whose data folder is beside it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("PICTOGRAPH_DATA_DIR", raising=False)
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    output = capsys.readouterr()
    assert "" == output.out
    return output.err.splitlines()


def test_the_library_is_in_the_users_data_folder_wherever_a_command_is_started(
    current: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = current.parent / "data" / "pictograph"
    assert expected == read_settings().data_dir
    say_which_library(read_settings())
    assert [f"Library: {expected}"] == said(capsys)


def test_a_library_of_an_earlier_version_is_found_in_the_current_folder_with_a_hint(
    current: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = current / "pictograph-data"
    earlier.mkdir()
    # Empty, or only with a demo in it, it is no library.
    assert user_data_folder() == read_settings().data_dir
    (earlier / "postgres").mkdir()
    say_which_library(read_settings())
    [line, hint] = said(capsys)
    assert f"Library: {earlier}" == line
    assert "Set PICTOGRAPH_DATA_DIR to it, or move it to " in hint
    assert str(user_data_folder()) in hint


def test_the_setting_comes_before_a_library_in_the_current_folder(
    current: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (current / "pictograph-data" / "files").mkdir(parents=True)
    monkeypatch.setenv("PICTOGRAPH_DATA_DIR", "pictograph-data")
    say_which_library(read_settings())
    assert [f"Library: {current / 'pictograph-data'}"] == said(capsys)


def test_the_demo_of_an_earlier_version_is_found_by_its_own_folder(current: Path) -> None:
    demo = current / "pictograph-data" / "postcards-1"
    demo.mkdir(parents=True)
    assert demo.parent == default_data_folder([demo.name]).absolute()
    assert user_data_folder() == default_data_folder(["postcards-2"])


def test_a_user_without_a_home_has_the_current_folder(
    current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_123)
    assert current / "pictograph-data" == read_settings().data_dir.absolute()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "/data"),
        ({"s3_bucket": "photos"}, "/data, files in s3://photos/"),
        (
            {"database_url": "postgresql://me:secret@db/pictures"},
            "postgresql://me@db/pictures, files in /data/files",
        ),
        (
            {"database_url": "postgresql://db/pictures", "s3_bucket": "photos", "s3_prefix": "a"},
            "postgresql://db/pictures, files in s3://photos/a",
        ),
    ],
)
def test_a_library_is_named_by_its_database_and_its_files(
    given: dict[str, object], name: str
) -> None:
    assert name == library_name(read_settings(data_dir="/data", **given))


def test_a_url_that_is_none_of_postgresql_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(Misconfigured, match="PICTOGRAPH_DATABASE_URL is for mysql"):
        library_name(read_settings(database_url="mysql://host/name"))
