"""Tells outages of a disk from other errors of the operating system."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = {errno.ENOSPC, errno.EDQUOT}
BROKEN = {
    *(errno.EIO, errno.EROFS, errno.ENODEV, errno.EUCLEAN),
    # Of network file systems.
    *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT),
}
DISK_IS_FULL = "The server's disk is full, so nothing can be stored; try again later."
DISK_FAILS = "The server's disk does not work at the moment; try again later."


@contextmanager
def raising_outages() -> Iterator[None]:
    """Raise Unavailable where the disk is full or does not work. Other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Unavailable(DISK_IS_FULL) from error
        if error.errno in BROKEN:
            raise Unavailable(DISK_FAILS) from error
        raise
