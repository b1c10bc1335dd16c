"""What happens in the library, as PostgreSQL tells it to everybody who listens."""

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
from infra.postgres.engine import SESSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

logger = logging.getLogger(__name__)

NAME = "pictograph events"
"""What the server knows the connection as."""

OUTAGES = (
    OSError,
    EOFError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What the driver raises while the server is away."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
"""Seconds between two attempts to connect."""

CONNECTING = 10.0
"""Seconds that an attempt may take."""

PATIENCE = 5.0
"""Seconds that who begins to listen waits for the connection; after that it comes when it comes."""

FAREWELL = 1.0
"""Seconds for the server to take note that the connection ends."""

SILENCE = 30.0
"""Seconds after which the server is asked for a sign of life. Connections die without a word."""

MOST_LISTENERS = 1_000
"""How many may listen for images at once, each of them somebody who is connected here."""


class Channel(StrEnum):
    """What is told: triggers of the migration 0004 do it."""

    IMAGES = "pictograph_images"
    WORK = "pictograph_work"
    MODELS = "pictograph_models"


class PostgresEvents:
    """Listens on one connection a process, opened when somebody first listens, and kept up."""

    def __init__(self, engine: AsyncEngine, *, most: int = MOST_LISTENERS) -> None:
        """Listen to the database of ``engine``, on a connection that is none of its pool."""
        _, arguments = engine.dialect.create_connect_args(engine.url)
        self._arguments: dict[str, Any] = {
            name: value for name, value in arguments.items() if not name.startswith("prepared_")
        }
        self._most = most
        self._listeners: set[SubscriberBuffer] = set()
        self._wakers: dict[Channel, set[asyncio.Event]] = {channel: set() for channel in Channel}
        self._connected = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, engine: AsyncEngine, *, most: int = MOST_LISTENERS) -> AsyncIterator[Self]:
        """Be there for who listens, and end with them."""
        events = cls(engine, most=most)
        try:
            yield events
        finally:
            await events.close()

    async def close(self) -> None:
        """Let nothing come any more, and close the connection."""
        if self._keeping:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    @asynccontextmanager
    async def images(self) -> AsyncIterator[AsyncIterator[Sequence[UUID] | None]]:
        """Listen for the ids of images whose status changes, or which come or go.

        Raises Overloaded where too many listen.
        """
        if len(self._listeners) >= self._most:
            raise Overloaded(
                f"{self._most:,} are listening here already; try again later, or ask another "
                "server."
            )
        listener = SubscriberBuffer()
        self._listeners.add(listener)
        try:
            if await self._listening():
                # What was heard before now is no news.
                listener.clear()
            yield listener
        finally:
            self._listeners.remove(listener)

    @asynccontextmanager
    async def wake(self, channel: Channel) -> AsyncIterator[asyncio.Event]:
        """Set an event whenever anything comes on a channel, or may have come unheard.

        Whoever waits for it clears it, and then looks for themselves.
        """
        waker = asyncio.Event()
        self._wakers[channel].add(waker)
        try:
            await self._listening()
            yield waker
        finally:
            self._wakers[channel].remove(waker)

    async def news(self, channel: Channel, *, at_latest: float) -> None:
        """Return when something comes on a channel, or when so many seconds have passed."""
        async with self.wake(channel) as waker:
            with suppress(TimeoutError):
                async with asyncio.timeout(at_latest):
                    await waker.wait()

    async def _listening(self) -> bool:
        """Wait for the connection a while, and say whether it is there."""
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())
            self._keeping.add_done_callback(self._on_close)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._connected.wait()
        return self._connected.is_set()

    async def _keep(self) -> None:
        """Keep a connection that listens, for ever."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._connection() as connection:
                    pause = FIRST_PAUSE
                    await self._stay(connection)
                logger.warning("the database ended the connection that listens; connecting again")
            except OUTAGES as error:
                level = logging.WARNING if pause == FIRST_PAUSE else logging.DEBUG
                reason = str(error) or type(error).__name__
                logger.log(level, "cannot listen to the database, and try again: %s", reason)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect and listen, and tell everybody that they may have missed something."""
        self._lost.clear()
        connection = await asyncpg.connect(
            **self._arguments,
            timeout=CONNECTING,
            command_timeout=CONNECTING,
            server_settings=SESSION | {"application_name": NAME},
        )
        connection.add_termination_listener(self._on_end)
        try:
            for channel in Channel:
                await connection.add_listener(channel.value, self._on_news)
            for listener in self._listeners:
                listener.mark_gap()
            for waker in itertools.chain(*self._wakers.values()):
                waker.set()
            self._connected.set()
            yield connection
        finally:
            self._connected.clear()
            with suppress(*OUTAGES):
                await connection.close(timeout=FAREWELL)

    async def _stay(self, connection: asyncpg.Connection) -> None:
        """Return when the connection is lost, or raise."""
        while not self._lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENCE):
                    await self._lost.wait()
                    return
            await connection.execute("SELECT 1")

    def _on_close(self, _: object) -> None:
        # Nothing can come any more: nobody is to wait for it.
        for listener in self._listeners:
            listener.close()

    def _on_end(self, _: asyncpg.Connection) -> None:
        self._lost.set()

    def _on_news(self, _: object, __: int, channel: str, payload: str) -> None:
        for waker in self._wakers[Channel(channel)]:
            waker.set()
        if channel == Channel.IMAGES:
            ids = [UUID(image_id) for image_id in payload.split(",") if image_id]
            for listener in self._listeners:
                listener.add(ids)
