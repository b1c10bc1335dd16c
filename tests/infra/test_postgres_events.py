"""PostgresEvents: lost connections, restarts of the server, and slow subscribers."""

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


def within_a_minute(awaitable: Awaitable[object]) -> Awaitable[object]:
    return asyncio.wait_for(awaitable, 60)


@asynccontextmanager
async def open_events(url: str) -> AsyncIterator[PostgresEvents]:
    async with open_engine(url) as engine, PostgresEvents.open(engine) as events:
        yield events


async def execute(url: str, statement: str) -> None:
    async with open_engine(url) as engine, engine.begin() as connection:
        await connection.execute(text(statement))


TERMINATE_LISTENERS = f"""
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{module.APPLICATION_NAME}'
"""  # noqa: S608 - a constant


async def test_a_lost_connection_is_opened_again_and_subscribers_get_a_gap(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(postgres_url) as engine, open_events(postgres_url) as events:
        library = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as changes, events.notified(Channel.WORK) as notified:
            for _ in range(2):
                await execute(postgres_url, TERMINATE_LISTENERS)
                assert await within_a_minute(anext(changes)) is None
                await within_a_minute(notified.wait())
                notified.clear()
                image = await library.add(image_with(), EAST)
                assert (image.id,) == await within_a_minute(anext(changes))
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 2 == len(warnings)


async def test_subscriptions_survive_a_restart_of_the_server() -> None:
    with TemporaryDirectory(prefix="pictograph-tests-") as folder:
        data_folder = Path(folder) / "postgres"
        async with (
            embedded_postgres(data_folder) as url,
            open_engine(url) as engine,
            open_events(url) as events,
        ):
            await upgrade(engine)
            library = await PostgresLibrary.open(engine, MODEL)
            async with events.images() as changes:
                cluster = await asyncio.to_thread(open_cluster, data_folder)
                await asyncio.to_thread(cluster.stop)  # it is started again by itself
                assert await within_a_minute(anext(changes)) is None
                image = await library.add(image_with(), EAST)
                assert (image.id,) == await within_a_minute(anext(changes))


async def test_a_subscriber_that_came_during_an_outage_gets_a_gap_after_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUBSCRIBE_TIMEOUT_SECONDS", 0.1)
    async with open_events(postgres_url) as events:
        arguments = dict(events._connect_arguments)  # noqa: SLF001 - simulates an outage
        events._connect_arguments["host"] = "/nowhere"  # noqa: SLF001 - simulates an outage
        async with events.images() as changes:
            events._connect_arguments.update(arguments)  # noqa: SLF001 - ends the outage
            assert await within_a_minute(anext(changes)) is None


async def test_a_subscriber_that_is_too_slow_gets_a_gap(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SubscriberBuffer.__init__, "__defaults__", (3,))
    async with open_engine(postgres_url) as engine, open_events(postgres_url) as events:
        library = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as slow, events.images() as quick:
            for _ in range(5):
                image = await library.add(image_with(), EAST)
                assert (image.id,) == await within_a_minute(anext(quick))
            assert await within_a_minute(anext(slow)) is None


async def test_an_idle_connection_is_checked_by_keepalive_queries(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0.01)
    async with open_engine(postgres_url) as engine, open_events(postgres_url) as events:
        library = await PostgresLibrary.open(engine, MODEL)
        async with events.images() as changes:
            keepalive_queries = text(f"""
                SELECT count(*) FROM pg_stat_activity
                WHERE application_name = '{module.APPLICATION_NAME}' AND query = 'SELECT 1'
                AND datname = current_database()
            """)  # noqa: S608 - a constant
            async with asyncio.timeout(60), engine.connect() as connection:
                while not await connection.scalar(keepalive_queries):
                    await connection.rollback()
            image = await library.add(image_with(), EAST)
            assert (image.id,) == await within_a_minute(anext(changes))


@pytest.mark.parametrize(
    ("channel", "statement"),
    [
        (Channel.MODELS, "INSERT INTO models (name, dimensions, state) VALUES ('x', 3, 'ready')"),
        (Channel.WORK, "NOTIFY pictograph_work"),
    ],
)
async def test_a_notification_on_another_channel_sets_its_event(
    postgres_url: str, channel: Channel, statement: str
) -> None:
    async with open_events(postgres_url) as events, events.notified(channel) as notified:
        notified.clear()
        await execute(postgres_url, statement)
        await within_a_minute(notified.wait())


async def test_closing_ends_subscriptions_and_closes_the_connection(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with PostgresEvents.open(engine) as events, events.images() as changes:
            await events.close()
            assert [] == [ids async for ids in changes]
        count_connections = text(f"""
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = '{module.APPLICATION_NAME}' AND datname = current_database()
        """)  # noqa: S608 - a constant
        async with asyncio.timeout(60), engine.connect() as connection:
            while await connection.scalar(count_connections):
                await connection.rollback()


async def test_no_connection_is_opened_before_the_first_subscriber(postgres_url: str) -> None:
    async with open_events(postgres_url) as events:
        assert events._listener is None  # noqa: SLF001 - no public sign of the connection
