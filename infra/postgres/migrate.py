"""Bringing a database to the tables that this program knows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

# Beside this package, in a checkout as in an installation.
MIGRATIONS = Path(__file__).parents[2] / "migrations"
LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pictograph migrations'))")


async def upgrade(engine: AsyncEngine) -> None:
    """Run the migrations that are missing, all or none. Programs that do so at once take turns."""
    try:
        async with engine.begin() as connection:
            await connection.execute(LOCK)
            await connection.run_sync(lambda sync: command.upgrade(script(sync), "head"))
    except DBAPIError as error:
        if "permission denied" not in str(error.orig):
            raise
        raise Misconfigured(
            f"The user {engine.url.username} may not make what Pictograph needs in the database "
            f"{engine.url.database} ({str(error.orig).rpartition('>: ')[2]}): let an administrator "
            "run CREATE EXTENSION vector there, and give the user the right to create tables."
        ) from error


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database has exactly the migrations that this program brings."""
    async with engine.connect() as connection:
        heads = await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_heads()
        )
    return heads == (_head(),)


async def check_current(engine: AsyncEngine) -> None:
    """Raise Misconfigured unless the migrations are current."""
    if not await is_current(engine):
        raise Misconfigured(
            f"The tables in the database {engine.url.database} are not those of this version of "
            "Pictograph: run `pictograph migrate`, or a newer version if one has migrated already."
        )


def script(connection: Connection | None = None) -> Config:
    """Return what Alembic's commands take, to work over this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def _head() -> str | None:
    return ScriptDirectory.from_config(script()).get_current_head()
