"""The embedded PostgreSQL: shared by processes, and unmoved by crashes and odd folders."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from domain.errors import Misconfigured
from infra.embedded_postgres import server as module
from infra.embedded_postgres.cluster import open_cluster
from infra.embedded_postgres.server import embedded_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal

ROOT = Path(__file__).parents[2]
INSIDE = """
import asyncio, sys
from pathlib import Path
from infra.embedded_postgres.server import embedded_postgres

async def main():
    async with embedded_postgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def new_folder() -> Iterator[Path]:
    """A folder that pytest does not close to the user that PostgreSQL runs under."""
    with tempfile.TemporaryDirectory(prefix="pictograph-tests-") as name:
        yield Path(name) / "postgres"


@pytest.fixture(scope="module")
def used_folder(portal: BlockingPortal) -> Iterator[Path]:
    """A folder whose server has run once and was stopped: to make a cluster takes a second."""
    with tempfile.TemporaryDirectory(prefix="pictograph-tests-") as name:
        folder = Path(name) / "postgres"
        with portal.wrap_async_context_manager(embedded_postgres(folder)):
            pass
        yield folder


@pytest.fixture
def folder(used_folder: Path, new_folder: Path) -> Path:
    """A copy of such a folder, with its owners."""
    subprocess.run(["cp", "-a", used_folder, new_folder], check=True)  # noqa: S607 - wherever it is
    return new_folder


async def ask(url: str, statement: str) -> object:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()


@asynccontextmanager
async def another_process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a process that is in until its input ends; yield it and the URL that it was given."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INSIDE, str(folder), cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def server_of(folder: Path) -> int | None:
    return open_cluster(folder).find_server()


def backend_that_selects(pid: int) -> psutil.Process | None:
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):
            if "SELECT" in " ".join(child.cmdline()):
                return child
    return None


async def eventually_gone(pid: int) -> None:
    await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], timeout=120)


async def test_a_server_answers_inside_and_is_gone_outside(new_folder: Path) -> None:
    async with embedded_postgres(new_folder) as url:
        assert "18" == str(await ask(url, "SHOW server_version")).partition(".")[0]
        pid = server_of(new_folder)
        assert pid
    assert None is server_of(new_folder)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_what_was_written_is_there_the_next_time(folder: Path) -> None:
    async with embedded_postgres(folder) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    async with embedded_postgres(folder) as url:
        assert 7 == await ask(url, "SELECT number FROM kept")


async def test_only_its_own_user_can_enter_the_folder(new_folder: Path) -> None:
    async with embedded_postgres(new_folder):
        for place in (new_folder, new_folder / "run", new_folder / "cluster"):
            assert 0o700 == stat.S_IMODE(os.lstat(place).st_mode)


@pytest.mark.parametrize(
    "name", ["with spaces", "a:b,c;'d'\"e\"", "$(touch x) & `y`", "Ünï☃", "long" * 50, "100%s%%"]
)
async def test_a_folder_may_have_any_name(new_folder: Path, name: str) -> None:
    for _ in range(2):
        async with embedded_postgres(new_folder / name / "postgres") as url:
            assert 1 == await ask(url, "SELECT 1")


async def test_a_second_process_joins_and_the_last_one_out_stops_the_server(folder: Path) -> None:
    async with another_process(folder) as (owner, first), embedded_postgres(folder) as second:
        assert first == second
        pid = server_of(folder)
        assert owner.stdin
        owner.stdin.close()
        await owner.wait()
        assert pid == server_of(folder)
        assert 1 == await ask(second, "SELECT 1")
    assert None is server_of(folder)


async def test_one_that_joined_leaves_the_server_to_the_others(folder: Path) -> None:
    async with embedded_postgres(folder) as url:
        async with another_process(folder):
            pass
        assert 1 == await ask(url, "SELECT 1")


async def test_many_that_come_at_once_share_one_server(new_folder: Path) -> None:
    async def visit() -> str:
        async with embedded_postgres(new_folder) as url:
            await ask(url, "SELECT pg_sleep(0.1)")
            return url

    assert 1 == len(set(await asyncio.gather(*(visit() for _ in range(5)))))
    assert None is server_of(new_folder)


async def test_a_server_whose_owner_was_killed_is_joined_and_then_stopped(folder: Path) -> None:
    async with another_process(folder) as (owner, _):
        pid = server_of(folder)
        owner.kill()
        await owner.wait()
        async with embedded_postgres(folder) as url:
            assert pid == server_of(folder)
            assert 1 == await ask(url, "SELECT 1")
    assert None is server_of(folder)


async def test_a_killed_server_recovers_what_was_committed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "REPORT", 0.0)
    caplog.set_level("INFO")
    async with embedded_postgres(folder) as url:
        await ask(url, "CREATE TABLE kept AS SELECT n FROM generate_series(1, 200000) AS n")
        pid = server_of(folder)
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually_gone(pid)
    async with embedded_postgres(folder) as url:
        assert 200_000 == await ask(url, "SELECT count(*) FROM kept")
    assert "is recovering" in caplog.text


async def test_processes_that_outlive_their_postmaster_are_ended_before_another_starts(
    folder: Path,
) -> None:
    async with embedded_postgres(folder) as url:
        busy = "SELECT count(*) FROM generate_series(1, 10) AS n, LATERAL (SELECT pg_sleep(3)) AS s"
        task = asyncio.create_task(ask(url, busy))
        pid = server_of(folder)
        assert pid
        while not (backend := backend_that_selects(pid)):  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.05)
        backend.suspend()
        os.kill(pid, signal.SIGKILL)
        await eventually_gone(pid)
        async with embedded_postgres(folder) as again:
            assert not backend.is_running() or psutil.STATUS_ZOMBIE == backend.status()
            assert 1 == await ask(again, "SELECT 1")
        with pytest.raises(DBAPIError):
            await task


@pytest.mark.parametrize("reuse", ["mine", "nobody's", "nonsense"])
async def test_a_stale_pid_file_is_not_believed(folder: Path, reuse: str) -> None:
    async with embedded_postgres(folder):
        lines = (folder / "cluster" / "postmaster.pid").read_text().splitlines()
    lines[0] = {"mine": str(os.getpid()), "nobody's": "4194303", "nonsense": "x"}[reuse]
    if reuse == "nonsense":
        lines = lines[:1]
    pid_file = folder / "cluster" / "postmaster.pid"
    pid_file.write_text("\n".join(lines) + "\n")
    async with embedded_postgres(folder) as url:
        assert 1 == await ask(url, "SELECT 1")


async def test_an_initialization_that_was_cut_off_begins_anew(new_folder: Path) -> None:
    (new_folder / "cluster.new" / "base").mkdir(parents=True)
    async with embedded_postgres(new_folder) as url:
        assert 1 == await ask(url, "SELECT 1")


async def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    async with embedded_postgres(folder):
        pass
    (folder / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Misconfigured, match=r"PostgreSQL 16.*PICTOGRAPH_DATABASE_URL"):
        async with embedded_postgres(folder):
            pass


async def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    async with embedded_postgres(folder):
        pass
    (folder / "cluster" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(Misconfigured, match="does not start"):
        async with embedded_postgres(folder):
            pass
    assert None is server_of(folder)


async def test_a_folder_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(Misconfigured, match="cannot use"):
        async with embedded_postgres(Path(__file__) / "postgres"):
            pass


def test_binaries_that_cannot_run_are_named(new_folder: Path) -> None:
    cluster = replace(open_cluster(new_folder), binaries=new_folder / "nowhere")
    with pytest.raises(Misconfigured, match=r"nowhere.*PICTOGRAPH_DATABASE_URL"):
        cluster.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_a_folder_of_an_ordinary_user_stays_that_users(new_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    await asyncio.to_thread(new_folder.mkdir)
    os.chown(new_folder, nobody.pw_uid, nobody.pw_gid)
    async with embedded_postgres(new_folder) as url:
        assert 1 == await ask(url, "SELECT 1")
    owners = {os.lstat(new_folder / name).st_uid for name in (".", "cluster", "turn.lock")}
    assert {nobody.pw_uid} == owners


async def test_a_long_log_begins_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded_postgres.cluster.LARGEST_LOG", 0)
    async with embedded_postgres(folder):
        pass
    (folder / "server.log").write_text("old words")
    async with embedded_postgres(folder):
        assert "old words" not in (folder / "server.log").read_text()


async def test_a_server_that_does_not_stop_in_good_order_is_stopped_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.embedded_postgres.cluster.PATIENCE", 0.2)
    async with embedded_postgres(folder):
        pid = server_of(folder)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        wakes = asyncio.create_task(asyncio.sleep(0.3))
        wakes.add_done_callback(lambda _: os.kill(pid, signal.SIGCONT))
    await wakes
    await eventually_gone(pid)
    assert None is server_of(folder)
