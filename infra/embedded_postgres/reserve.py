"""Disk space that is kept for PostgreSQL, so that it can start when the disk is full."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from infra.embedded_postgres.account import Account

RESERVE_BYTES = 64 << 20
"""Four segments of write-ahead log. A start after a crash may need two."""

FILE_NAME = "reserve"


def is_disk_full(folder: Path) -> bool:
    """Whether the folder's disk has less free space than PostgreSQL may need to start."""
    return shutil.disk_usage(folder).free < RESERVE_BYTES


def keep_reserve(folder: Path, account: Account) -> None:
    """Allocate the reserve if it is missing and the disk has twice its size."""
    path = folder / FILE_NAME
    with suppress(FileNotFoundError):
        if path.stat().st_blocks * 512 >= RESERVE_BYTES:  # less in a sparse copy
            return
    if shutil.disk_usage(folder).free < 2 * RESERVE_BYTES or not hasattr(os, "posix_fallocate"):
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        account.own(descriptor)
        os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
    except OSError:  # another program was faster, or a quota is lower
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def release_reserve(folder: Path) -> None:
    """Give the reserved space to PostgreSQL."""
    (folder / FILE_NAME).unlink(missing_ok=True)
