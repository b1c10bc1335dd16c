"""The connections to PostgreSQL, opened only onto a server that can do the work."""

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

OLDEST_SERVER = 14
OLDEST_PGVECTOR = (0, 8, 4)
"""Earlier ones can corrupt HNSW indexes on vacuum."""

OUTAGES = (OSError, TimeoutError, DBAPIError)
"""What a statement raises while the server is away: not always an error of the database's own."""

SESSION = {
    "application_name": "pictograph",
    # Searches are over before a just-in-time compiler has warmed up.
    "jit": "off",
    # Whether an index is worth it depends on the filter's values, not on how often it was asked.
    "plan_cache_mode": "force_custom_plan",
    "timezone": "UTC",
}

ABOUT_SERVER = text("""
    SELECT current_setting('server_version_num')::integer / 10000 AS server,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available
""")


@asynccontextmanager
async def open_engine(url: str, *, pool_size: int = 10) -> AsyncIterator[AsyncEngine]:
    """Connect to ``postgresql://...``; connections that went stale are replaced when used.

    Raises Misconfigured when the server cannot be reached or lacks a recent enough pgvector.
    """
    place = parse_url(url)
    engine = create_async_engine(
        place,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        # asyncpg waits for a minute by default; a start and a health check should not.
        connect_args={"timeout": 10, "server_settings": SESSION},
    )
    try:
        await check_server(engine)
        yield engine
    finally:
        await engine.dispose()


def autocommit(engine: AsyncEngine) -> AsyncSession:
    """Return a session in which each statement is a transaction of its own."""
    return AsyncSession(engine.execution_options(isolation_level="AUTOCOMMIT"))


def parse_url(url: str) -> URL:
    """Read a URL as libpq would, for asyncpg. Raises Misconfigured."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise Misconfigured(
            "PICTOGRAPH_DATABASE_URL is no URL: write postgresql://user:password@host:5432/name."
        ) from None
    if place.get_backend_name() not in {"postgresql", "postgres"}:
        raise Misconfigured(
            f"PICTOGRAPH_DATABASE_URL is for {place.get_backend_name()}; Pictograph needs "
            "PostgreSQL: write postgresql://user:password@host:5432/name."
        )
    query = dict(place.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return place.set(drivername="postgresql+asyncpg", query=query)


async def check_server(engine: AsyncEngine) -> None:
    """Raise Misconfigured unless the server answers and has what the catalog stands on."""
    place = engine.url.render_as_string(hide_password=True)
    try:
        async with engine.connect() as connection:
            about = (await connection.execute(ABOUT_SERVER)).one()
    except OUTAGES as error:
        reason = str(getattr(error, "orig", None) or error or type(error).__name__)
        raise Misconfigured(
            f"The database {place} cannot be used ({_bare(reason)}): check "
            "PICTOGRAPH_DATABASE_URL, and that the server runs."
        ) from error
    if about.server < OLDEST_SERVER:
        raise Misconfigured(
            f"The database {place} is PostgreSQL {about.server}: "
            f"{OLDEST_SERVER} or newer is needed, 18 is best."
        )
    needed = ".".join(map(str, OLDEST_PGVECTOR))
    if _version(about.installed or about.available) >= OLDEST_PGVECTOR:
        return
    if _version(about.available) >= OLDEST_PGVECTOR:
        raise Misconfigured(
            f"The database {place} has pgvector {about.installed}, and {needed} or newer is "
            "needed: run ALTER EXTENSION vector UPDATE in it."
        )
    has = f"has pgvector {about.available}" if about.available else "has no pgvector"
    raise Misconfigured(
        f"The database {place} {has}: install pgvector {needed} or newer on its server."
    )


def _version(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "0").split(".") if part.isdigit())


def _bare(reason: str) -> str:
    """Return an error's text without the class that SQLAlchemy's asyncpg dialect puts first."""
    return reason.rpartition(">: ")[2].strip().rstrip(".")
