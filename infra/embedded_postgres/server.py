"""An embedded PostgreSQL server, shared by all processes of Pictograph that open its folder."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # no types
from sqlalchemy import URL

from domain.errors import Misconfigured
from infra.embedded_postgres.cluster import Cluster, open_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

DATABASE = "postgres"
POLL_INTERVAL_SECONDS = 0.05
PROBE_TIMEOUT_SECONDS = 5.0
RECOVERY_LOG_INTERVAL_SECONDS = 5.0

# Every process holds the first lock shared while it uses the server. The second one serializes
# starting, joining and stopping.
USERS_LOCK_FILE = "present.lock"
LIFECYCLE_LOCK_FILE = "turn.lock"


@asynccontextmanager
async def embedded_postgres(folder: Path) -> AsyncIterator[str]:
    """Start or join the server of ``folder``; yield a URL for SQLAlchemy's asyncpg dialect.

    The first process starts the server, later ones join it, the last one stops it. Processes are
    counted by advisory locks (``flock``), which the kernel releases when a process is killed. A
    server that is still running is joined. After a crash the server starts with WAL recovery, which
    has no timeout. Raises Misconfigured if the folder cannot be used or the server does not start.
    """
    cluster = await asyncio.to_thread(open_cluster, folder)
    async with _open_lock_file(cluster, USERS_LOCK_FILE) as users_lock:
        async with _open_lock_file(cluster, LIFECYCLE_LOCK_FILE) as lifecycle_lock:
            await _acquire(lifecycle_lock, fcntl.LOCK_EX)
            await _acquire(users_lock, fcntl.LOCK_SH)
            try:
                url = await _start_or_join(cluster)
            except BaseException:
                await asyncio.shield(_stop_if_last(cluster, users_lock))
                raise
        try:
            yield url
        finally:
            await asyncio.shield(_leave(cluster, users_lock))


async def _leave(cluster: Cluster, users_lock: int) -> None:
    async with _open_lock_file(cluster, LIFECYCLE_LOCK_FILE) as lifecycle_lock:
        await _acquire(lifecycle_lock, fcntl.LOCK_EX)
        await _stop_if_last(cluster, users_lock)


async def _stop_if_last(cluster: Cluster, users_lock: int) -> None:
    """Stop the server unless other processes use it. The caller holds the lifecycle lock."""
    fcntl.flock(users_lock, fcntl.LOCK_UN)
    try:
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    await asyncio.to_thread(cluster.stop)


async def _start_or_join(cluster: Cluster) -> str:
    """Return the server's URL once it accepts connections."""
    pid = await asyncio.to_thread(cluster.find_postmaster)
    if pid is None:
        pid = await asyncio.to_thread(cluster.start)
    loop = asyncio.get_running_loop()
    next_log_at = loop.time() + RECOVERY_LOG_INTERVAL_SECONDS
    while (socket := await _reachable_socket(cluster)) is None:
        if not cluster.is_running(pid):
            raise Misconfigured(
                f"The embedded PostgreSQL in {cluster.folder} does not start: "
                f"{cluster.last_log_line}"
            )
        if loop.time() > next_log_at:
            log.info("PostgreSQL in %s is recovering: %s", cluster.folder, cluster.last_log_line)
            next_log_at += RECOVERY_LOG_INTERVAL_SECONDS
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return URL.create(
        "postgresql+asyncpg",
        username=cluster.superuser,
        database=DATABASE,
        query={"host": str(socket)},
    ).render_as_string(hide_password=False)


async def _reachable_socket(cluster: Cluster) -> Path | None:
    """Return the folder of the server's socket, if the server accepts connections there."""
    socket = cluster.find_socket_folder()
    if socket is None:
        return None
    try:
        connection = await asyncpg.connect(
            host=str(socket),
            user=cluster.superuser,
            database=DATABASE,
            timeout=PROBE_TIMEOUT_SECONDS,
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return None
    await connection.close()
    return socket


@asynccontextmanager
async def _open_lock_file(cluster: Cluster, name: str) -> AsyncIterator[int]:
    """Yield a descriptor for ``flock``; its lock is released at the end."""
    descriptor = cluster.open_private(name)
    try:
        yield descriptor
    finally:
        # Closing does not release the lock while a forked child has the file open.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


async def _acquire(descriptor: int, mode: int) -> None:
    """Acquire an advisory lock by polling: a blocking ``flock`` would occupy a thread."""
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        else:
            return
