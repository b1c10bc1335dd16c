"""A PostgreSQL server in a folder, shared by every process of ours that opens the folder."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import URL

from domain.errors import Misconfigured
from infra.embedded_postgres.cluster import Cluster, open_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

DATABASE = "postgres"
PAUSE = 0.05  # seconds between two looks at something that changes by itself
PROBE = 5.0  # seconds for a server to answer
REPORT = 5.0  # seconds between two lines about a long wait


@asynccontextmanager
async def embedded_postgres(folder: Path) -> AsyncIterator[str]:
    """Run or join the server of ``folder``; yield a URL for SQLAlchemy's asyncpg dialect.

    Whoever comes first starts the server, later processes join it, the last to leave stops it.
    Locks of the operating system tell who is in, so a process that is killed has left. A server
    that was left running is joined; one that was killed recovers, however long that takes.
    Raises Misconfigured when the folder cannot be used or the server does not come up.
    """
    cluster = await asyncio.to_thread(open_cluster, folder)
    async with _lock(cluster, "present.lock") as present:
        async with _lock(cluster, "turn.lock") as turn:
            await _acquire(turn, fcntl.LOCK_EX)
            await _acquire(present, fcntl.LOCK_SH)
            try:
                url = await _enter(cluster)
            except BaseException:
                await asyncio.shield(_leave(cluster, present))
                raise
        try:
            yield url
        finally:
            await asyncio.shield(_take_leave(cluster, present))


async def _take_leave(cluster: Cluster, present: int) -> None:
    async with _lock(cluster, "turn.lock") as turn:
        await _acquire(turn, fcntl.LOCK_EX)
        await _leave(cluster, present)


async def _leave(cluster: Cluster, present: int) -> None:
    """Stop the server unless others are in. Whoever calls this has the turn."""
    fcntl.flock(present, fcntl.LOCK_UN)
    try:
        fcntl.flock(present, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    await asyncio.to_thread(cluster.stop)


async def _enter(cluster: Cluster) -> str:
    pid = await asyncio.to_thread(cluster.find_server)
    if pid is None:
        pid = await asyncio.to_thread(cluster.start)
    loop = asyncio.get_running_loop()
    report = loop.time() + REPORT
    while (socket := await _reachable_socket(cluster)) is None:
        if not cluster.is_alive(pid):
            raise Misconfigured(
                f"The embedded PostgreSQL in {cluster.folder} does not start: {cluster.last_words}"
            )
        if loop.time() > report:
            log.info("PostgreSQL in %s is recovering: %s", cluster.folder, cluster.last_words)
            report += REPORT
        await asyncio.sleep(PAUSE)
    return URL.create(
        "postgresql+asyncpg",
        username=cluster.superuser,
        database=DATABASE,
        query={"host": str(socket)},
    ).render_as_string(hide_password=False)


async def _reachable_socket(cluster: Cluster) -> Path | None:
    """Return the folder of the server's socket once it answers there."""
    socket = cluster.find_socket()
    if socket is None:
        return None
    try:
        connection = await asyncpg.connect(
            host=str(socket), user=cluster.superuser, database=DATABASE, timeout=PROBE
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return None
    await connection.close()
    return socket


@asynccontextmanager
async def _lock(cluster: Cluster, name: str) -> AsyncIterator[int]:
    """Open a file to lock. Locks belong to the opened file and end with it."""
    descriptor = cluster.open_private(name)
    try:
        yield descriptor
    finally:
        # A forked child may still have the file open, so closing alone would not unlock it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


async def _acquire(descriptor: int, mode: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(PAUSE)
        else:
            return
