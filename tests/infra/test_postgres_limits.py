"""The limits of requests to PostgreSQL, and its refusals: a full pool, time limits, a full disk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.concurrency import may_use_reserve
from domain.errors import Overloaded, Unavailable
from infra.postgres.engine import RequestLimits, open_engine
from infra.postgres.searches import PostgresKeptSearches

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

SLEEP = text("SELECT pg_sleep(60)")
SELECT_ONE = text("SELECT 1")
COUNT_SLEEPING = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%'
    AND pid <> pg_backend_pid()
""")
IMPATIENT = RequestLimits(wait_seconds=0.05, statement_seconds=20)


async def select_one(engine: AsyncEngine) -> int | None:
    async with engine.connect() as connection:
        one: int | None = await connection.scalar(SELECT_ONE)
    return one


async def test_a_request_that_waits_too_long_for_a_connection_is_refused(postgres_url: str) -> None:
    async with open_engine(postgres_url, pool_size=1, limits=IMPATIENT) as engine:
        async with engine.connect():
            with pytest.raises(Overloaded, match="all connections to its database are in use"):
                await select_one(engine)
        assert 1 == await select_one(engine)


async def test_readers_without_a_key_leave_connections_to_others(postgres_url: str) -> None:
    limits = RequestLimits(wait_seconds=0.05, statement_seconds=20, reserved_connections=1)
    async with open_engine(postgres_url, pool_size=2, limits=limits) as engine:
        may_use_reserve.set(False)
        async with engine.connect():
            with pytest.raises(Overloaded):
                await select_one(engine)
            may_use_reserve.set(True)
            assert 1 == await select_one(engine)


async def test_a_statement_that_takes_too_long_is_refused_and_ends_in_the_database(
    postgres_url: str,
) -> None:
    limits = RequestLimits(wait_seconds=10, statement_seconds=0.2)
    async with (
        open_engine(postgres_url) as unlimited,
        open_engine(postgres_url, limits=limits) as engine,
        engine.connect() as connection,
    ):
        with pytest.raises(Overloaded, match="took too long"):
            await connection.execute(SLEEP)
        async with unlimited.connect() as other:
            assert 0 == await other.scalar(COUNT_SLEEPING)
        await connection.rollback()
        assert 1 == await connection.scalar(SELECT_ONE)


async def test_a_lock_is_not_waited_for_longer_than_the_limit(postgres_url: str) -> None:
    limits = RequestLimits(wait_seconds=10, statement_seconds=0.2)
    lock = text("LOCK TABLE images IN ACCESS EXCLUSIVE MODE")
    async with open_engine(postgres_url) as unlimited, unlimited.begin() as holder:
        await holder.execute(lock)
        async with open_engine(postgres_url, limits=limits) as engine, engine.connect() as waiting:
            with pytest.raises(Overloaded):
                await waiting.execute(text("SELECT count(*) FROM images"))


async def test_a_cancelled_statement_ends_in_the_database(postgres_url: str) -> None:
    async def sleep(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            await connection.execute(SLEEP)

    async def are_sleeping(engine: AsyncEngine) -> bool:
        async with engine.connect() as connection:
            return bool(await connection.scalar(COUNT_SLEEPING))

    async with open_engine(postgres_url, pool_size=2) as engine:
        sleeping = asyncio.create_task(sleep(engine))
        while not await are_sleeping(engine):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)
        while await are_sleeping(engine):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(engine.connect())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("53100", "disk of the database is full"),
        ("58030", "lost the connection"),
        ("57P03", "lost the connection"),
    ],
)
async def test_errors_of_the_server_are_outages(
    postgres_url: str, state: str, expected: str
) -> None:
    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        raised = text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
        with pytest.raises(Unavailable, match=expected):
            await connection.execute(raised)


async def test_mistakes_in_sql_are_no_outages(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT nonsense"))


async def test_connections_of_a_read_only_spell_do_not_stay_in_the_pool(postgres_url: str) -> None:
    async with open_engine(postgres_url) as operator:

        async def set_read_only(value: str) -> None:
            async with operator.connect() as connection:
                await connection.execute(text("SET TRANSACTION READ WRITE"))
                name = await connection.scalar(text("SELECT current_database()"))
                change = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'
                await connection.execute(text(change))
                await connection.commit()

        await set_read_only("on")
        async with open_engine(postgres_url, pool_size=2) as engine:
            searches = PostgresKeptSearches(engine)
            with pytest.raises(Unavailable, match="accepts no changes"):
                await searches.check()
            assert 1 == await select_one(engine)
            await set_read_only("off")
            # One connection was opened in the spell; its error discards it.
            with pytest.raises(Unavailable):
                await searches.check()
            await searches.check()


@pytest.mark.parametrize("limits", [None, IMPATIENT])
@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_a_conflict_of_transactions_is_refused(
    postgres_url: str, state: str, limits: RequestLimits | None
) -> None:
    conflict = text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    async with open_engine(postgres_url, limits=limits) as engine, engine.connect() as connection:
        with pytest.raises(Overloaded, match="Another change of the same data"):
            await connection.execute(conflict)
        await connection.rollback()
        assert 1 == await connection.scalar(SELECT_ONE)
