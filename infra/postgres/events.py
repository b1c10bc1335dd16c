"""Events over PostgreSQL's LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import asyncpg  # type: ignore[import-untyped] # it ships no types

from domain.concurrency import SubscriberBuffer
from domain.errors import Overloaded
from infra.postgres.engine import SESSION_SETTINGS
from infra.postgres.outages import ASYNCPG_OUTAGES
from infra.postgres.url import connect_arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

logger = logging.getLogger(__name__)

APPLICATION_NAME = "pictograph events"
"""The name of the connection in ``pg_stat_activity``."""

MIN_RECONNECT_PAUSE_SECONDS = 0.1
MAX_RECONNECT_PAUSE_SECONDS = 10.0
"""The backoff between attempts to connect doubles from the one to the other."""

COMMAND_TIMEOUT_SECONDS = 10.0
CLOSE_TIMEOUT_SECONDS = 1.0

SUBSCRIBE_TIMEOUT_SECONDS = 5.0
"""How long a new subscriber waits for the connection. It subscribes without one after that, and
gets a gap when the connection is there."""

KEEPALIVE_SECONDS = 30.0
"""The interval of a query that detects a connection that died without an error."""

MAX_SUBSCRIBERS = 1_000
"""How many subscribers to images one process accepts, each a client with an open connection."""


class Channel(StrEnum):
    """Channels of NOTIFY. The triggers of the migrations 0004 and 0015 send to them."""

    IMAGES = "pictograph_images"
    WORK = "pictograph_work"
    MODELS = "pictograph_models"
    SCAN_TABLES = "pictograph_scan_tables"


class PostgresEvents:
    """Listens on one connection per process, opened for the first subscriber, then kept open.

    A lost connection is opened again with backoff. Every subscriber then gets a gap, as
    notifications may have been lost.
    """

    def __init__(self, engine: AsyncEngine, *, max_subscribers: int = MAX_SUBSCRIBERS) -> None:
        """Listen to the database of ``engine``, on a connection outside of its pool."""
        self._connect_arguments: dict[str, Any] = connect_arguments(engine.url, SESSION_SETTINGS)
        self._connect_arguments["server_settings"]["application_name"] = APPLICATION_NAME
        self._max_subscribers = max_subscribers
        self._subscribers: set[SubscriberBuffer] = set()
        self._flags: dict[Channel, set[asyncio.Event]] = {channel: set() for channel in Channel}
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, engine: AsyncEngine, *, max_subscribers: int = MAX_SUBSCRIBERS
    ) -> AsyncIterator[Self]:
        """Accept subscribers in the block, and end their iterations after it."""
        events = cls(engine, max_subscribers=max_subscribers)
        try:
            yield events
        finally:
            await events.close()

    async def close(self) -> None:
        """End all subscriptions and close the connection."""
        if self._listener:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener

    @asynccontextmanager
    async def images(self) -> AsyncIterator[AsyncIterator[Sequence[UUID] | None]]:
        if len(self._subscribers) >= self._max_subscribers:
            raise Overloaded(
                f"This server has {self._max_subscribers:,} subscribers already, which is its "
                "limit; try again later, or subscribe at another server."
            )
        subscriber = SubscriberBuffer()
        self._subscribers.add(subscriber)
        try:
            if await self._wait_until_connected():
                # Notifications from before this moment are not part of the subscription.
                subscriber.clear()
            yield subscriber
        finally:
            self._subscribers.remove(subscriber)

    @asynccontextmanager
    async def notified(self, channel: Channel) -> AsyncIterator[asyncio.Event]:
        """Yield an event that is set by each notification on a channel, and after a reconnect.

        The caller clears it, and then reads the tables: a notification carries no data.
        """
        flag = asyncio.Event()
        self._flags[channel].add(flag)
        try:
            await self._wait_until_connected()
            yield flag
        finally:
            self._flags[channel].remove(flag)

    async def wait_for_notification(self, channel: Channel, *, timeout_seconds: float) -> None:
        """Return at the next notification on a channel, or after the timeout."""
        async with self.notified(channel) as flag:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await flag.wait()

    async def _wait_until_connected(self) -> bool:
        """Start to listen, and return whether the connection is open within the timeout."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
            self._listener.add_done_callback(self._on_listener_end)
        with suppress(TimeoutError):
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_SECONDS):
                await self._connected.wait()
        return self._connected.is_set()

    async def _listen(self) -> None:
        """Keep a connection open until cancelled: reconnect with backoff when it is lost."""
        pause = MIN_RECONNECT_PAUSE_SECONDS
        while True:
            try:
                async with self._connection() as connection:
                    pause = MIN_RECONNECT_PAUSE_SECONDS
                    await self._watch(connection)
                logger.warning("the database closed the connection for events; reconnecting")
            except ASYNCPG_OUTAGES as error:
                is_first = pause == MIN_RECONNECT_PAUSE_SECONDS
                level = logging.WARNING if is_first else logging.DEBUG
                reason = str(error) or type(error).__name__
                logger.log(level, "cannot listen to the database's events; retrying: %s", reason)
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_RECONNECT_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect, listen on all channels, and mark a gap for every subscriber."""
        self._lost.clear()
        connection = await asyncpg.connect(
            **self._connect_arguments, command_timeout=COMMAND_TIMEOUT_SECONDS
        )
        connection.add_termination_listener(self._on_termination)
        try:
            for channel in Channel:
                await connection.add_listener(channel.value, self._on_notification)
            for subscriber in self._subscribers:
                subscriber.mark_gap()
            for flag in itertools.chain(*self._flags.values()):
                flag.set()
            self._connected.set()
            yield connection
        finally:
            self._connected.clear()
            with suppress(*ASYNCPG_OUTAGES):
                await connection.close(timeout=CLOSE_TIMEOUT_SECONDS)

    async def _watch(self, connection: asyncpg.Connection) -> None:
        """Return when the connection is closed. Raises where it does not answer."""
        while not self._lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    await self._lost.wait()
                    return
            await connection.execute("SELECT 1")

    def _on_listener_end(self, _: object) -> None:
        # No notification can arrive any more: end the iterations instead of leaving them waiting.
        for subscriber in self._subscribers:
            subscriber.close()

    def _on_termination(self, _: asyncpg.Connection) -> None:
        self._lost.set()

    def _on_notification(self, _: object, __: int, channel: str, payload: str) -> None:
        for flag in self._flags[Channel(channel)]:
            flag.set()
        if channel == Channel.IMAGES:
            ids = [UUID(image_id) for image_id in payload.split(",") if image_id]
            for subscriber in self._subscribers:
                subscriber.add(ids)
