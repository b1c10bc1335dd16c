"""A streaming replica takes the place of a PostgreSQL that is gone, and no restart is needed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest
from sqlalchemy import make_url

from infra.embedded_postgres.account import Account
from infra.embedded_postgres.binaries import find_binaries
from infra.embedded_postgres.cluster import SERVER_SETTINGS
from infra.embedded_postgres.server import embedded_postgres
from tests.databases import connected
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, pictograph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

SEARCH = "query ($text: String!) { searchImages(by: {text: $text}, first: 10) { nodes { id } } }"
OPERATION = {"query": SEARCH, "variables": {"text": "a picture"}}
MAX_SECONDS = 60
SYNCHRONOUS = {"synchronous_standby_names": "*"}
"""A commit waits for the replica, so that no acknowledged one is lost."""


@contextmanager
def replica_of(portal: BlockingPortal, primary: str, folder: Path) -> Iterator[str]:
    """Copy a running server, let the copy follow it, and yield the URL of the copy."""
    folder.mkdir()
    account = Account.for_folder(folder)
    account.own(folder)
    account.run(
        str(find_binaries(account) / "pg_basebackup"),
        *("--host", str(make_url(primary).query["host"]), "--username", "pictograph"),
        *("--pgdata", str(folder / "cluster"), "--write-recovery-conf", "--checkpoint=fast"),
        cwd=folder,
    )
    with portal.wrap_async_context_manager(embedded_postgres(folder)) as url:
        yield url


async def run(url: str, statement: str) -> object:
    async with connected(url) as connection:
        return await connection.fetchval(statement)


def kill(folder: Path) -> None:
    """Kill a server and all of its processes."""
    postmaster = psutil.Process(int((folder / "cluster/postmaster.pid").read_text().split()[0]))
    for process in (postmaster, *postmaster.children()):
        os.kill(process.pid, signal.SIGKILL)


def found(server: Server) -> set[str]:
    """Search until there is an answer, and return the ids. Every other response is an outage."""
    end = time.monotonic() + MAX_SECONDS
    while True:
        response = server.http.post("/graphql", json=OPERATION)
        answer = response.json()
        if "errors" not in answer:
            return {node["id"] for node in answer["data"]["searchImages"]["nodes"]}
        assert "SERVICE_UNAVAILABLE" == answer["errors"][0]["extensions"]["code"]
        assert time.monotonic() < end, answer
        time.sleep(0.2)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account reaches too, which runs the copying."""
    with TemporaryDirectory(prefix="pictograph-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_replica_takes_over_with_all_that_was_acknowledged(
    portal: BlockingPortal, folder: Path, model: Path
) -> None:
    primary_folder = folder / "primary"
    with patch.dict(SERVER_SETTINGS, SYNCHRONOUS):
        primary_context = portal.wrap_async_context_manager(embedded_postgres(primary_folder))
        primary = primary_context.__enter__()
    try:
        with replica_of(portal, primary, folder / "replica") as replica:
            hosts = ",".join(str(make_url(url).query["host"]) for url in (primary, replica))
            settings: dict[str, object] = {
                "model": model,
                "data_dir": folder / "data",
                "database_url": f"postgresql://pictograph@/postgres?host={hosts}",
                "api_key": KEY,
            }
            assert 0 == pictograph("migrate", settings=settings).returncode
            with Server.in_thread(settings) as server:
                [first] = server.upload({"0.jpg": picture(0)})["results"]
                assert {first["image"]["id"]} == found(server)
                kill(primary_folder)
                refused = server.http.post("/graphql", json=OPERATION).json()
                assert "SERVICE_UNAVAILABLE" == refused["errors"][0]["extensions"]["code"]
                assert portal.call(run, replica, "SELECT pg_promote()") is True
                assert {first["image"]["id"]} == found(server)
                [second] = server.upload({"1.jpg": picture(1)})["results"]
                assert {first["image"]["id"], second["image"]["id"]} == found(server)
    finally:
        primary_context.__exit__(None, None, None)
