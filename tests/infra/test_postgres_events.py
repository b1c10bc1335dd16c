"""Listening to PostgreSQL: through lost connections, restarts, and for those who are too slow."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.concurrency import SubscriberBuffer
from domain.entities.embeddings import EmbeddingModel
from infra.embedded_postgres.cluster import open_cluster
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres import events as module
from infra.postgres.engine import open_engine
from infra.postgres.events import Channel, PostgresEvents
from infra.postgres.migrate import upgrade
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

MODEL = EmbeddingModel("tests/small", 3)
EAST = (1.0, 0.0, 0.0)


def soon(awaitable: Awaitable[object]) -> Awaitable[object]:
    return asyncio.wait_for(awaitable, 60)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[PostgresEvents]:
    async with open_engine(url) as engine, PostgresEvents.open(engine) as events:
        yield events


async def execute(url: str, statement: str) -> None:
    async with open_engine(url) as engine, engine.begin() as connection:
        await connection.execute(text(statement))


KILL = f"""
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{module.NAME}'
"""  # noqa: S608 - a constant


async def test_a_connection_that_is_ended_is_made_anew_and_who_listens_is_told(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(postgres_url) as engine, listening(postgres_url) as events:
        catalog = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as changes, events.wake(Channel.WORK) as woken:
            for _ in range(2):
                await execute(postgres_url, KILL)
                assert await soon(anext(changes)) is None
                await soon(woken.wait())
                woken.clear()
                image = await catalog.add(image_with(), EAST)
                assert (image.id,) == await soon(anext(changes))
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 2 == len(warnings)


async def test_a_restart_of_the_server_is_survived() -> None:
    with TemporaryDirectory(prefix="pictograph-tests-") as folder:
        place = Path(folder) / "postgres"
        async with (
            embedded_postgres(place) as url,
            open_engine(url) as engine,
            listening(url) as events,
        ):
            await upgrade(engine)
            catalog = await PostgresLibrary.open(engine, MODEL)
            async with events.images() as changes:
                cluster = await asyncio.to_thread(open_cluster, place)
                await asyncio.to_thread(cluster.stop)
                await asyncio.to_thread(cluster.start)
                assert await soon(anext(changes)) is None
                image = await catalog.add(image_with(), EAST)
                assert (image.id,) == await soon(anext(changes))


async def test_who_begins_to_listen_while_the_server_is_away_is_told_once_it_is_there(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    async with listening(postgres_url) as events:
        arguments = dict(events._arguments)  # noqa: SLF001 - there is no other way to be misled
        events._arguments["host"] = "/nowhere"  # noqa: SLF001 - the same
        async with events.images() as changes:
            events._arguments.update(arguments)  # noqa: SLF001 - the same
            assert await soon(anext(changes)) is None


async def test_who_is_too_slow_is_told_that_something_was_missed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SubscriberBuffer.__init__, "__defaults__", (3,))
    async with open_engine(postgres_url) as engine, listening(postgres_url) as events:
        catalog = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as slow, events.images() as quick:
            for _ in range(5):
                image = await catalog.add(image_with(), EAST)
                assert (image.id,) == await soon(anext(quick))
            assert await soon(anext(slow)) is None


async def test_a_silent_connection_is_asked_for_a_sign_of_life(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.01)
    async with open_engine(postgres_url) as engine, listening(postgres_url) as events:
        catalog = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as changes:
            asked = text(f"""
                SELECT count(*) FROM pg_stat_activity
                WHERE application_name = '{module.NAME}' AND query = 'SELECT 1'
                AND datname = current_database()
            """)  # noqa: S608 - a constant
            async with asyncio.timeout(60), engine.connect() as connection:
                while not await connection.scalar(asked):
                    await connection.rollback()
            image = await catalog.add(image_with(), EAST)
            assert (image.id,) == await soon(anext(changes))


@pytest.mark.parametrize(
    ("channel", "statement"),
    [
        (Channel.MODELS, "INSERT INTO models (name, dimensions, state) VALUES ('x', 3, 'ready')"),
        (Channel.WORK, "NOTIFY pictograph_work"),
    ],
)
async def test_other_channels_wake_who_waits_for_them(
    postgres_url: str, channel: Channel, statement: str
) -> None:
    async with listening(postgres_url) as events, events.wake(channel) as woken:
        woken.clear()
        await execute(postgres_url, statement)
        await soon(woken.wait())


async def test_it_ends_with_its_listeners_and_its_connection(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with PostgresEvents.open(engine) as events, events.images() as changes:
            await events.close()
            assert [] == [each async for each in changes]
        count = text(f"""
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = '{module.NAME}' AND datname = current_database()
        """)  # noqa: S608 - a constant
        async with asyncio.timeout(60), engine.connect() as connection:
            while await connection.scalar(count):
                await connection.rollback()


async def test_nothing_is_connected_before_somebody_listens(postgres_url: str) -> None:
    async with listening(postgres_url) as events:
        assert events._keeping is None  # noqa: SLF001 - nobody else could tell
