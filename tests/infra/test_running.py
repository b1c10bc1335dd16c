"""The record of a running server, and how commands find it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.settings import read_settings
from pictograph.running import RECORD, recording, running_url

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

URL = "http://127.0.0.1:8000"


def test_a_server_is_found_as_long_as_it_runs(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path)
    assert running_url(settings) is None
    with recording(settings) as record:
        record(URL)
        assert URL == running_url(settings)
        assert 0o600 == (tmp_path / RECORD).stat().st_mode & 0o777
    # The record stays, as after a kill, and its lock is gone.
    assert URL in (tmp_path / RECORD).read_text()
    assert running_url(settings) is None


def test_the_server_of_another_library_is_not_asked(tmp_path: Path) -> None:
    with recording(read_settings(data_dir=tmp_path, s3_bucket="theirs")) as record:
        record(URL)
        assert running_url(read_settings(data_dir=tmp_path, s3_bucket="mine")) is None


def test_a_server_in_another_network_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(data_dir=tmp_path)
    with recording(settings) as record:
        record(URL)
        monkeypatch.setattr("pictograph.running._network", lambda: 1)
        assert running_url(settings) is None


def test_the_first_server_of_a_folder_is_recorded(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path)
    with recording(settings) as first, recording(settings) as second:
        first(URL)
        second("http://127.0.0.1:9000")
        assert URL == running_url(settings)


def test_no_data_folder_is_created_for_the_record(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path / "none")
    with recording(settings) as record:
        record(URL)
    assert not (tmp_path / "none").exists()


def test_an_incomplete_record_is_no_server(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path)
    with recording(settings) as record:
        record(URL)
        (tmp_path / RECORD).write_text(json.dumps({"url": URL})[:-5])
        assert running_url(settings) is None
