"""PostgreSQL killed, frozen and restarted under open engines: clean errors, no leaks, recovery."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest
from sqlalchemy import make_url, text

from domain.entities.embeddings import Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.searches import KeptSearch
from domain.errors import Misconfigured, Unavailable
from domain.use_cases.search.keep_searches import KeepSearches
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres import engine as engine_module
from infra.postgres import repeatable as repeatable_module
from infra.postgres.engine import RequestLimits, check_server, open_engine
from infra.postgres.searches import PostgresKeptSearches
from tests.fakes.clock import SettableClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

LIMITS = RequestLimits(wait_seconds=2, statement_seconds=1)
POOL_SIZE = 3
MAX_SECONDS = 30
"""Far more than any answer takes: the machine may be busy."""


class Outages:
    """A server of the test's own, its processes, and an engine over it."""

    def __init__(self, url: str, folder: Path, engine: AsyncEngine) -> None:
        self.url = url
        self.folder = folder
        self.engine = engine

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the postmaster and all of its processes."""
        lines = (self.folder / "cluster" / "postmaster.pid").read_text().splitlines()
        postmaster = psutil.Process(int(lines[0]))
        for process in (postmaster, *postmaster.children()):
            os.kill(process.pid, number)

    async def fails(self) -> BaseException:
        """Return the error of a statement, which must not take long."""
        start = time.monotonic()
        with pytest.raises(Unavailable) as raised:
            await select_one(self.engine)
        assert time.monotonic() - start < MAX_SECONDS
        return raised.value

    async def has_all_connections(self) -> None:
        """Use every connection of the pool at once."""
        async with AsyncExitStack() as stack:
            for _ in range(POOL_SIZE):
                await stack.enter_async_context(self.engine.connect())


async def select_one(engine: AsyncEngine) -> int | None:
    async with engine.connect() as connection:
        one: int | None = await connection.scalar(text("SELECT 1"))
    return one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server of this file's own, which is created once."""
    return tmp_path_factory.mktemp("outages") / "pg"


@pytest.fixture
async def outages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outages]:
    monkeypatch.setattr(repeatable_module, "PING_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(engine_module, "CLIENT_MARGIN_SECONDS", 0.5)
    monkeypatch.setattr(engine_module, "MAX_CONNECT_SECONDS", 2.0)
    async with (
        embedded_postgres(folder) as url,
        open_engine(url, pool_size=POOL_SIZE, limits=LIMITS) as engine,
    ):
        outages = Outages(url, folder, engine)
        await outages.has_all_connections()
        yield outages


async def test_a_server_that_is_killed_and_started_again_needs_no_restart_here(
    outages: Outages,
) -> None:
    outages.send(signal.SIGKILL)
    for _ in range(POOL_SIZE + 1):
        assert "cannot reach its database" in str(await outages.fails())
    with pytest.raises(Misconfigured, match="cannot be used"):
        await check_server(outages.engine)
    async with embedded_postgres(outages.folder) as url:
        assert make_url(outages.url).query == make_url(url).query
        assert 1 == await select_one(outages.engine)
        await outages.has_all_connections()


async def test_a_statement_in_a_killed_server_is_an_outage(outages: Outages) -> None:
    async def sleep() -> None:
        async with outages.engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(0.9)"))

    sleeping = asyncio.create_task(sleep())
    await asyncio.sleep(0.3)
    outages.send(signal.SIGKILL)
    with pytest.raises(Unavailable):
        await sleeping
    async with embedded_postgres(outages.folder):
        await outages.has_all_connections()


async def test_a_frozen_server_is_an_outage_until_it_goes_on(outages: Outages) -> None:
    clock = SettableClock()
    search = KeptSearch(
        uuid7(), clock(), "a", Query([1.0], QueryKind.TEXT), "a", "b", hits=(), exact=True
    )
    kept = KeepSearches(PostgresKeptSearches(outages.engine), save_seconds=0.1)
    outages.send(signal.SIGSTOP)
    try:
        await outages.fails()
        await kept.save(search)
        assert search == await kept.load(search.id, since=search.created_at)
    finally:
        outages.send(signal.SIGCONT)
    assert 1 == await select_one(outages.engine)
    await outages.has_all_connections()


async def test_a_statement_in_a_frozen_server_ends_at_its_time_limit(outages: Outages) -> None:
    async def sleep() -> None:
        async with outages.engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(0.9)"))

    sleeping = asyncio.create_task(sleep())
    await asyncio.sleep(0.3)
    outages.send(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            async with asyncio.timeout(MAX_SECONDS):
                await sleeping
    finally:
        outages.send(signal.SIGCONT)
    await outages.has_all_connections()
