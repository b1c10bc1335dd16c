"""Runs the Alembic migrations, and checks whether a database has all of them."""

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

# The package ``migrations`` is installed next to ``infra``, as in a checkout.
MIGRATIONS_FOLDER = Path(__file__).parents[2] / "migrations"
LOCK_MIGRATIONS = text("SELECT pg_advisory_xact_lock(hashtext('pictograph migrations'))")


async def upgrade(engine: AsyncEngine) -> None:
    """Run the missing migrations in one transaction.

    An advisory lock serializes processes that migrate at once. Raises Misconfigured where the user
    lacks the rights.
    """
    try:
        async with engine.begin() as connection:
            await connection.execute(LOCK_MIGRATIONS)
            await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))
    except DBAPIError as error:
        if "permission denied" not in str(error.orig):
            raise
        raise Misconfigured(
            f"The user {engine.url.username} may not create what Pictograph needs in the database "
            f"{engine.url.database} ({str(error.orig).rpartition('>: ')[2]}): let an administrator "
            "run CREATE EXTENSION vector there, and give the user the right to create tables."
        ) from error


async def is_current(engine: AsyncEngine) -> bool:
    """Return whether the database has exactly the migrations of this version of Pictograph."""
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
            "Pictograph: run `pictograph migrate`, or a newer Pictograph if the tables are newer."
        )


def alembic_config(connection: Connection | None = None) -> Config:
    """Return the configuration for Alembic's commands, which run over ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def _head() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
