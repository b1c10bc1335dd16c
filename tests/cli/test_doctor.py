"""The checks of `pictograph doctor` that need no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured
from infra.settings import read_settings
from pictograph.cli.doctor import check_database, check_files, check_model

if TYPE_CHECKING:
    from pathlib import Path


async def test_checking_a_new_library_creates_no_database(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path)
    folder = tmp_path / "postgres"
    sentence = f"An embedded PostgreSQL will be created in {folder}."
    assert sentence == await check_database(settings)
    assert not folder.exists()


async def test_a_user_id_without_an_entry_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 2_000_000_123)
    with pytest.raises(Misconfigured, match="2000000123 has no entry in /etc/passwd"):
        await check_database(read_settings(data_dir=tmp_path))


async def test_the_folder_of_the_files_is_named(tmp_path: Path) -> None:
    files = await check_files(read_settings(data_dir=tmp_path))
    assert f"Files are stored in {tmp_path / 'files'}." == files


async def test_a_missing_model_is_named() -> None:
    with pytest.raises(Misconfigured, match="/no/such/model"):
        await check_model(read_settings(model="/no/such/model"))


def test_the_summary_of_the_settings_lists_those_that_are_set(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, model="/models/clip")
    address = "The server will listen on 127.0.0.1, port 8000; reading needs no key."
    names = "PICTOGRAPH_DATA_DIR, PICTOGRAPH_MODEL"
    assert f"{address} Set: {names}." == settings.summary
    assert f"{address} Set: nothing." == read_settings().summary
