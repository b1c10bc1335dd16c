"""An embedded PostgreSQL server, shared by all processes of Pictograph that open its folder."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # no types
import psutil  # type: ignore[import-untyped] # no types
from sqlalchemy import URL

from domain.errors import Misconfigured
from infra.embedded_postgres.cluster import Cluster, has_ended, open_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

DATABASE = "postgres"
POLL_INTERVAL_SECONDS = 0.05
PROBE_TIMEOUT_SECONDS = 5.0
PROBE_FAILURES = (
    *(OSError, TimeoutError, asyncpg.PostgresError),
    # asyncpg raises these if the server dies while it answers.
    *(asyncpg.InterfaceError, asyncpg.InternalClientError),
)
RECOVERY_LOG_INTERVAL_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 30.0  # of a server that has completed its start
SUPERVISION_INTERVAL_SECONDS = 1.0
MAX_RESTART_INTERVAL_SECONDS = 30.0
MAX_BACKOFF_EXPONENT = 5

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
    has no timeout. A server that ends inside the context is started again, at the same URL. Raises
    Misconfigured if the folder cannot be used, the server does not start, or it runs where this
    process cannot reach it.
    """
    cluster = await asyncio.to_thread(open_cluster, folder)
    with _open_lock_file(cluster, USERS_LOCK_FILE) as users_lock:
        with _open_lock_file(cluster, LIFECYCLE_LOCK_FILE) as lifecycle_lock:
            await _acquire(lifecycle_lock, fcntl.LOCK_EX)
            await _acquire(users_lock, fcntl.LOCK_SH)
            try:
                url = await _start_or_join(cluster)
            except BaseException:
                await _run_to_end(partial(_stop_if_last, cluster, users_lock))
                raise
        supervisor = asyncio.create_task(_supervise(cluster))
        try:
            yield url
        finally:
            supervisor.cancel()
            try:
                await asyncio.wait({supervisor})
            finally:
                await _run_to_end(partial(_leave, cluster, users_lock))


async def _supervise(cluster: Cluster) -> None:
    """Start the server again when it has ended, until cancelled."""
    failures = 0
    postmaster = await asyncio.to_thread(_find_process, cluster)
    while True:
        delay = SUPERVISION_INTERVAL_SECONDS * 2**failures
        await asyncio.sleep(min(delay, MAX_RESTART_INTERVAL_SECONDS))
        try:
            if postmaster is None or has_ended(postmaster):
                if postmaster is not None:
                    log.error("The embedded PostgreSQL in %s ended unexpectedly", cluster.folder)
                with _open_lock_file(cluster, LIFECYCLE_LOCK_FILE) as lifecycle_lock:
                    await _acquire(lifecycle_lock, fcntl.LOCK_EX)
                    await _start_or_join(cluster)
                postmaster = await asyncio.to_thread(_find_process, cluster)
                log.info("The embedded PostgreSQL in %s runs again", cluster.folder)
            await asyncio.to_thread(cluster.keep_reserve)
            failures = 0
        except (Misconfigured, OSError) as error:
            postmaster = None
            failures = min(failures + 1, MAX_BACKOFF_EXPONENT)
            log.warning("%s", error)


def _find_process(cluster: Cluster) -> psutil.Process | None:
    pid = cluster.find_postmaster()
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid) if pid else None
    return None


def _leave(cluster: Cluster, users_lock: int) -> None:
    with _open_lock_file(cluster, LIFECYCLE_LOCK_FILE) as lifecycle_lock:
        fcntl.flock(lifecycle_lock, fcntl.LOCK_EX)
        _stop_if_last(cluster, users_lock)


def _stop_if_last(cluster: Cluster, users_lock: int) -> None:
    """Stop the server unless other processes use it. The caller holds the lifecycle lock."""
    fcntl.flock(users_lock, fcntl.LOCK_UN)
    try:
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    cluster.stop()


async def _start_or_join(cluster: Cluster) -> str:
    """Return the server's URL once it accepts connections. The caller holds the lifecycle lock."""
    if await asyncio.to_thread(cluster.find_postmaster) is None:
        await _run_to_end(cluster.start)
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    next_log_at = started_at + RECOVERY_LOG_INTERVAL_SECONDS
    while not await _accepts_connections(cluster):
        if not await asyncio.to_thread(_is_running, cluster):
            raise cluster.failure_to_start()
        if cluster.is_ready and loop.time() > started_at + ANSWER_TIMEOUT_SECONDS:
            raise Misconfigured(
                f"The embedded PostgreSQL in {cluster.folder} runs, but does not answer: stop all "
                "commands that use it, and its processes."
            )
        if loop.time() > next_log_at:
            log.info("PostgreSQL in %s is recovering: %s", cluster.folder, cluster.last_log_line)
            next_log_at += RECOVERY_LOG_INTERVAL_SECONDS
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    await asyncio.to_thread(cluster.keep_reserve)
    return URL.create(
        "postgresql+asyncpg",
        username=cluster.superuser,
        database=DATABASE,
        query={"host": str(cluster.socket_folder)},
    ).render_as_string(hide_password=False)


def _is_running(cluster: Cluster) -> bool:
    # A server that was just started has the lock already, and no socket yet.
    return cluster.is_locked or cluster.find_postmaster() is not None


async def _run_to_end(function: Callable[[], None]) -> None:
    """Run a function in a thread of its own, and wait for its end however often it is cancelled.

    The cancellation is raised after the end. The thread is no task: a loop that cancels all of its
    tasks, because it closes, waits for the function, too.
    """
    # The holder of a lock that the function waits for may need a thread of the loop's own pool.
    pool = ThreadPoolExecutor(1)
    running = asyncio.get_running_loop().run_in_executor(pool, function)
    pool.shutdown(wait=False)
    cancellation = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation:
        raise cancellation from running.exception()
    running.result()


async def _accepts_connections(cluster: Cluster) -> bool:
    try:
        connection = await asyncpg.connect(
            host=str(cluster.socket_folder),
            user=cluster.superuser,
            database=DATABASE,
            timeout=PROBE_TIMEOUT_SECONDS,
        )
        await connection.close()
    except asyncpg.TooManyConnectionsError:
        return True
    except PROBE_FAILURES:
        return False
    return True


@contextmanager
def _open_lock_file(cluster: Cluster, name: str) -> Iterator[int]:
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
