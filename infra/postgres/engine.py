"""SQLAlchemy engines for PostgreSQL; opening one checks the versions of server and pgvector."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

MIN_SERVER_VERSION = 14
MIN_PGVECTOR_VERSION = (0, 8, 4)
"""Vacuum can corrupt the HNSW indexes of earlier versions."""

CONNECT_TIMEOUT_SECONDS = 10

SQLALCHEMY_OUTAGES = (OSError, TimeoutError, DBAPIError)
"""The exceptions of a statement while the server is away. asyncpg's connection errors are not all
wrapped by SQLAlchemy."""

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


@asynccontextmanager
async def open_engine(url: str, *, pool_size: int = 10) -> AsyncIterator[AsyncEngine]:
    """Open a connection pool to ``postgresql://...``. Stale connections are replaced on use.

    Raises Misconfigured where the server cannot be reached, or it or its pgvector is too old.
    """
    engine = create_async_engine(
        parse_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        # asyncpg's default of a minute is too long for a start and for a health check.
        connect_args={"timeout": CONNECT_TIMEOUT_SECONDS, "server_settings": SESSION_SETTINGS},
    )
    try:
        await check_server(engine)
        yield engine
    finally:
        await engine.dispose()


def autocommit(engine: AsyncEngine) -> AsyncSession:
    """Return a session that commits each statement by itself."""
    return AsyncSession(engine.execution_options(isolation_level="AUTOCOMMIT"))


def parse_url(url: str) -> URL:
    """Parse a libpq URL into one for asyncpg: ``sslmode`` becomes ``ssl``. Raises Misconfigured."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise Misconfigured(
            "PICTOGRAPH_DATABASE_URL is not a URL: write postgresql://user:password@host:5432/name."
        ) from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise Misconfigured(
            f"PICTOGRAPH_DATABASE_URL is for {parsed.get_backend_name()}, and Pictograph needs "
            "PostgreSQL: write postgresql://user:password@host:5432/name."
        )
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(drivername="postgresql+asyncpg", query=query)


async def check_server(engine: AsyncEngine) -> None:
    """Raise Misconfigured unless the server answers, and it and its pgvector are recent enough."""
    url = engine.url.render_as_string(hide_password=True)
    try:
        async with engine.connect() as connection:
            versions = (await connection.execute(SELECT_VERSIONS)).one()
    except SQLALCHEMY_OUTAGES as error:
        reason = str(getattr(error, "orig", None) or error or type(error).__name__)
        raise Misconfigured(
            f"The database {url} cannot be used ({_without_class(reason)}): check "
            "PICTOGRAPH_DATABASE_URL, and that the server runs."
        ) from error
    if versions.server < MIN_SERVER_VERSION:
        raise Misconfigured(
            f"The database {url} is PostgreSQL {versions.server}: "
            f"{MIN_SERVER_VERSION} or newer is needed, 18 is best."
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


def _parse_version(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "0").split(".") if part.isdigit())


def _without_class(reason: str) -> str:
    """Return an error's text without the class name that SQLAlchemy's asyncpg dialect prepends."""
    return reason.rpartition(">: ")[2].strip().rstrip(".")
