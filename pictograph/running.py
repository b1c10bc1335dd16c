"""Records the running server of a library, so that commands ask it and load no model themselves."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.settings import Settings

RECORD = "server.json"
"""The file of the data folder. The server keeps it locked as long as it runs."""

NETWORK_NAMESPACE = Path("/proc/self/ns/net")


def library_name(settings: Settings) -> str:
    """Return where a library is, without secrets: its database and its files.

    Raises Misconfigured for the URL of another database than PostgreSQL.
    """
    folder = settings.data_dir.absolute()
    bucket = f"s3://{settings.s3_bucket}/{settings.s3_prefix}" if settings.s3_bucket else None
    if settings.database_url is None:
        return f"{folder}, files in {bucket}" if bucket else str(folder)
    from infra.postgres.url import parse_url, without_secrets  # noqa: PLC0415 - slow to import

    url = without_secrets(parse_url(settings.database_url.get_secret_value()))
    return f"{url}, files in {bucket or folder / 'files'}"


@contextmanager
def recording(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Yield a function that records the server's URL until the end of the block.

    A second server of the data folder is not recorded, and no data folder is created.
    """
    descriptors: list[int] = []

    def record(url: str) -> None:
        facts = {"url": url, "library": library_name(settings), "network": _network()}
        with suppress(OSError):
            descriptor = os.open(settings.data_dir / RECORD, os.O_RDWR | os.O_CREAT, 0o600)
            descriptors.append(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(facts).encode(), 0)

    try:
        yield record
    finally:
        for descriptor in descriptors:
            # Closing does not release the lock while a forked child has the file open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def running_url(settings: Settings) -> str | None:
    """Return the URL of a server that runs for the library of the settings, if one is recorded."""
    with suppress(OSError, ValueError), (settings.data_dir / RECORD).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            facts = json.load(file)
            # In another network namespace, such as a container, the URL is another server's.
            if (facts["library"], facts["network"]) == (library_name(settings), _network()):
                return str(facts["url"])
    return None


def _network() -> int | None:
    """Return the number of this process's network namespace, where the system has them."""
    with suppress(OSError):
        return NETWORK_NAMESPACE.stat().st_ino
    return None
