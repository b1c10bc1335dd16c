"""FolderStaging beyond the contract of staging areas."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import uuid7
from domain.errors import BytesMissing, Misconfigured
from infra.filesystem.staging import SECRET_BYTES, FolderStaging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY_SECONDS = 24 * 60 * 60


async def interrupted_upload() -> AsyncIterator[bytes]:
    yield b"the first half"
    raise ConnectionResetError


def test_the_secret_is_private_and_shared_by_all_processes(tmp_path: Path) -> None:
    secret = FolderStaging(tmp_path).secret
    assert SECRET_BYTES == len(secret)
    assert secret == FolderStaging(tmp_path).secret
    assert secret != FolderStaging(tmp_path / "other").secret
    assert 0o600 == (tmp_path / "secret").stat().st_mode & 0o777
    assert {"secret", "other"} == {path.name for path in tmp_path.iterdir()}


async def test_concurrent_processes_agree_on_one_secret(tmp_path: Path) -> None:
    opened = await asyncio.gather(
        *(asyncio.to_thread(FolderStaging, tmp_path / "uploads") for _ in range(20))
    )
    [secret] = {staging.secret for staging in opened}
    assert SECRET_BYTES == len(secret)
    assert ["secret"] == [path.name for path in (tmp_path / "uploads").iterdir()]


async def test_an_interrupted_upload_leaves_no_file(tmp_path: Path) -> None:
    staging, target_id = FolderStaging(tmp_path), uuid7()
    with pytest.raises(ConnectionResetError):
        await staging.write(target_id, interrupted_upload())
    with pytest.raises(BytesMissing):
        await staging.read(target_id, limit=1)
    assert ["secret"] == [path.name for path in tmp_path.iterdir()]  # noqa: ASYNC240 - a test may block


async def test_temporary_files_of_a_crash_are_removed_after_a_day(tmp_path: Path) -> None:
    staging = FolderStaging(tmp_path)
    old, young = tmp_path / ".unfinished-old", tmp_path / ".unfinished-young"
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - DAY_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    assert [] == [staged async for staged in staging.list()]
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        Misconfigured, match=r"Cannot store uploads .*file.*Set PICTOGRAPH_DATA_DIR"
    ):
        FolderStaging(tmp_path / "file" / "uploads")
