"""SQLAlchemy engines for PostgreSQL; opening one checks the versions of server and pgvector."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from domain.concurrency import Capacity
from domain.errors import Misconfigured, Unavailable
from infra.postgres.outages import ASYNCPG_OUTAGES, raise_outages
from infra.postgres.pool import ReservingPool
from infra.postgres.repeatable import autocommitting, listen_for_pings
from infra.postgres.url import connect_arguments, parse_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

MIN_SERVER_VERSION = 14
ENCODING = "UTF8"
MIN_PGVECTOR_VERSION = (0, 8, 4)
"""Vacuum can corrupt the HNSW indexes of earlier versions."""

CLIENT_MARGIN_SECONDS = 2.0
"""How much longer than the server the client waits for a statement: a frozen server ends none."""

MAX_CONNECT_SECONDS = 5.0
"""How long a request waits for a new connection to open."""

MAX_LOCK_SECONDS = 5.0
"""How long a statement of a request waits for a lock."""

UNLIMITED_WAIT_SECONDS = 30.0
"""How long work without time limits waits for a connection."""

POOL_IS_BUSY = (
    "The server is busy: all connections to its database are in use; try again in a moment."
)

SESSION_SETTINGS = {
    "application_name": "pictograph",
    # A search takes less time than just-in-time compilation.
    "jit": "off",
    # Whether an index pays depends on the values of the filter: a generic plan would ignore them.
    "plan_cache_mode": "force_custom_plan",
    "timezone": "UTC",
}

SELECT_VERSIONS = text("""
    SELECT current_setting('server_version_num')::integer / 10000 AS server,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available
""")
SELECT_ENCODING = text("SELECT current_setting('server_encoding')")
# NULL where pgvector is not installed yet, or is on the search path.
SELECT_HIDDEN_SCHEMA = text("""
    SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'vector' AND NOT nspname = ANY(current_schemas(true))
""")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What keeps the requests of a server from waiting for its database without end."""

    wait_seconds: float = 5.0
    """How long a request waits for a connection."""
    statement_seconds: float = 30.0
    """The longest time of one statement. Locks and idle transactions have limits, too."""
    reserved_connections: int = 0
    """How many connections only callers with a key use, and background work."""

    @property
    def server_settings(self) -> dict[str, str]:
        """The settings of a session that enforce the limits in the database, in milliseconds."""
        lock_seconds = min(MAX_LOCK_SECONDS, self.statement_seconds)
        return {
            "statement_timeout": str(round(1_000 * self.statement_seconds)),
            "lock_timeout": str(round(1_000 * lock_seconds)),
            "idle_in_transaction_session_timeout": str(round(2_000 * self.statement_seconds)),
        }


@asynccontextmanager
async def open_engine(
    url: str | URL, *, pool_size: int = 10, limits: RequestLimits | None = None
) -> AsyncIterator[AsyncEngine]:
    """Open a connection pool to ``postgresql://...``. Stale connections are replaced on use.

    A URL of SQLAlchemy is that of another engine.

    Without ``limits``, statements may take any time, as migrations and the builds of indexes do.
    Raises Misconfigured where the server cannot be reached, or it or its pgvector is too old.
    Statements raise Unavailable during an outage, and Overloaded where no connection is free.
    """
    parsed = parse_url(url) if isinstance(url, str) else url
    engine = create_async_engine(
        parsed,
        async_creator=partial(_connect, parsed, limits),
        poolclass=ReservingPool,
        pool_size=pool_size,
        max_overflow=0,
    )
    pool = engine.sync_engine.pool
    assert isinstance(pool, ReservingPool)  # noqa: S101 - as passed above
    pool.capacity = Capacity(
        pool_size,
        reserved=limits.reserved_connections if limits else 0,
        max_wait_seconds=limits.wait_seconds if limits else UNLIMITED_WAIT_SECONDS,
        refusal=POOL_IS_BUSY,
    )
    listen_for_pings(engine.sync_engine)
    event.listen(
        engine.sync_engine, "handle_error", partial(raise_outages, is_limited=bool(limits))
    )
    try:
        await check_server(engine)
        yield engine
    finally:
        await engine.dispose()


def autocommit(engine: AsyncEngine) -> AsyncSession:
    """Return a session that commits each statement by itself."""
    return AsyncSession(autocommitting(engine))


async def check_server(engine: AsyncEngine) -> None:
    """Raise Misconfigured unless the server answers, and it and its pgvector are recent enough."""
    url = without_secrets(engine.url)
    try:
        async with engine.connect() as connection:
            versions = (await connection.execute(SELECT_VERSIONS)).one()
            hidden_schema = await connection.scalar(SELECT_HIDDEN_SCHEMA)
            encoding = await connection.scalar(SELECT_ENCODING)
    except (Unavailable, DBAPIError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        reason = _without_class(str(cause) or type(cause).__name__)
        raise Misconfigured(
            f"The database {url} cannot be used ({reason}): check PICTOGRAPH_DATABASE_URL, and "
            "that the server runs."
        ) from error
    if versions.server < MIN_SERVER_VERSION:
        raise Misconfigured(
            f"The database {url} is PostgreSQL {versions.server}: "
            f"{MIN_SERVER_VERSION} or newer is needed, 18 is best."
        )
    if encoding != ENCODING:
        raise Misconfigured(
            f"The database {url} has the encoding {encoding}, which cannot store every name: "
            f"create one with CREATE DATABASE name TEMPLATE template0 ENCODING '{ENCODING}', and "
            "set PICTOGRAPH_DATABASE_URL to it."
        )
    if hidden_schema:
        raise Misconfigured(
            f"The extension vector of the database {url} is in the schema {hidden_schema}, which "
            "is not on the search path: run ALTER EXTENSION vector SET SCHEMA public in it, or add "
            f"?options=-csearch_path%3Dpublic,{hidden_schema} to PICTOGRAPH_DATABASE_URL."
        )
    needed = ".".join(map(str, MIN_PGVECTOR_VERSION))
    if _parse_version(versions.installed or versions.available) >= MIN_PGVECTOR_VERSION:
        return
    if _parse_version(versions.available) >= MIN_PGVECTOR_VERSION:
        raise Misconfigured(
            f"The database {url} has pgvector {versions.installed}, and {needed} or newer is "
            "needed: run ALTER EXTENSION vector UPDATE in it."
        )
    has = f"has pgvector {versions.available}" if versions.available else "has no pgvector"
    raise Misconfigured(
        f"The database {url} {has}: install pgvector {needed} or newer on its server."
    )


async def _connect(url: URL, limits: RequestLimits | None) -> asyncpg.Connection:
    """Open a connection. Raises Unavailable."""
    settings = SESSION_SETTINGS | (limits.server_settings if limits else {})
    arguments = connect_arguments(url, settings)
    if limits:
        arguments["command_timeout"] = limits.statement_seconds + CLIENT_MARGIN_SECONDS
        arguments["timeout"] = min(arguments["timeout"], MAX_CONNECT_SECONDS)
    try:
        return await asyncpg.connect(**arguments)
    except ASYNCPG_OUTAGES as error:
        raise Unavailable(
            "The server cannot reach its database at the moment; try again later."
        ) from error


def _parse_version(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "0").split(".") if part.isdigit())


def _without_class(reason: str) -> str:
    """Return an error's text without the class name that SQLAlchemy's asyncpg dialect prepends."""
    return reason.rpartition(">: ")[2].strip().rstrip(".")
