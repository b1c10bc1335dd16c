"""Work that may be done twice: without a ping, and again where its connection was lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.keys import digest
from domain.errors import Unavailable
from infra.postgres import repeatable as repeatable_module
from infra.postgres.engine import open_engine
from infra.postgres.keys import PostgresKeys
from infra.postgres.outages import ConnectionLost
from infra.postgres.repeatable import fetch_rows, repeatable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

POOL_SIZE = 3
SELECT_ONE = text("SELECT 1")
SELECT_PID = text("SELECT pg_backend_pid()")
END_OWN = text("SELECT pg_terminate_backend(pg_backend_pid())")
END_OTHERS = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
""")


def raise_state(state: str) -> TextClause:
    return text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")


class Pings:
    """Counts pings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        ping = repeatable_module._select_one  # noqa: SLF001 - no other place sees a ping

        async def counted(connection: object) -> object:
            self.count += 1
            return await ping(connection)

        monkeypatch.setattr(repeatable_module, "_select_one", counted)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Pings:
    # A busy machine may take longer than the product's second.
    monkeypatch.setattr(repeatable_module, "TRUSTED_SECONDS", 60.0)
    return Pings(monkeypatch)


@pytest_asyncio.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(postgres_url, pool_size=POOL_SIZE) as engine:
        yield engine


async def test_a_connection_that_was_used_a_moment_ago_is_not_pinged(
    engine: AsyncEngine, pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fetch_rows(engine, SELECT_ONE)
    pings.count = 0
    assert [(1,)] == await fetch_rows(engine, SELECT_ONE)
    assert 0 == pings.count
    monkeypatch.setattr(repeatable_module, "TRUSTED_SECONDS", 0.0)
    await fetch_rows(engine, SELECT_ONE)
    assert 1 == pings.count


async def test_other_work_pings_each_connection(engine: AsyncEngine, pings: Pings) -> None:
    await fetch_rows(engine, SELECT_ONE)
    pings.count = 0
    async with engine.connect() as connection:
        await connection.execute(SELECT_ONE)
    assert 1 == pings.count


@pytest.mark.usefixtures("pings")
async def test_statements_succeed_after_all_connections_were_lost(
    engine: AsyncEngine, postgres_url: str
) -> None:
    async def use_all() -> None:
        rows = await asyncio.gather(*(fetch_rows(engine, SELECT_ONE) for _ in range(2 * POOL_SIZE)))
        assert [[(1,)]] * 2 * POOL_SIZE == list(rows)

    await use_all()
    async with open_engine(postgres_url) as other:
        [ended] = await fetch_rows(other, END_OTHERS)
        assert POOL_SIZE <= ended[0]
        await use_all()
        # One after another, too: each connection of the pool is met once.
        await fetch_rows(other, END_OTHERS)
    for _ in range(2 * POOL_SIZE):
        assert [(1,)] == await fetch_rows(engine, SELECT_ONE)


async def test_work_is_done_again_once_and_only_where_the_ping_was_left_out(
    engine: AsyncEngine, pings: Pings
) -> None:
    calls = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal calls
        calls += 1
        await connection.execute(END_OWN)

    await fetch_rows(engine, SELECT_ONE)
    pings.count = 0
    with pytest.raises(Unavailable):
        await repeatable(engine, work)
    assert (2, 1) == (calls, pings.count)
    with pytest.raises(Unavailable):
        await repeatable(engine, work)
    assert (3, 2) == (calls, pings.count)
    assert [(1,)] == await fetch_rows(engine, SELECT_ONE)


@pytest.mark.parametrize("state", ["57P01", "57P02", "08006"])
async def test_a_connection_that_is_about_to_be_closed_does_not_return_to_the_pool(
    engine: AsyncEngine, pings: Pings, state: str
) -> None:
    # PostgreSQL says that it ends a connection before it closes the socket, which may come later.
    async with engine.connect() as connection:
        before = await connection.scalar(SELECT_PID)
        with pytest.raises(ConnectionLost):
            await connection.execute(raise_state(state))
    pings.count = 0
    async with engine.connect() as connection:
        assert before != await connection.scalar(SELECT_PID)
    assert 1 == pings.count


@pytest.mark.parametrize("state", ["25006", "53100", "58030"])
@pytest.mark.usefixtures("pings")
async def test_work_is_not_done_again_on_a_connection_that_was_not_lost(
    engine: AsyncEngine, state: str
) -> None:
    calls = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal calls
        calls += 1
        await connection.execute(raise_state(state))

    await fetch_rows(engine, SELECT_ONE)
    with pytest.raises(Unavailable):
        await repeatable(engine, work)
    assert 1 == calls


async def test_keys_are_found_on_a_connection_that_was_pinged(
    engine: AsyncEngine, pings: Pings
) -> None:
    await fetch_rows(engine, SELECT_ONE)
    pings.count = 0
    assert None is await PostgresKeys(engine).find(digest("unknown"))
    assert 1 == pings.count
