"""Runs the Alembic migrations. Alembic takes long to import: only a migration imports this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.errors import Misconfigured
from infra.postgres.revision import MIGRATIONS_FOLDER

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

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


def alembic_config(connection: Connection | None = None) -> Config:
    """Return the configuration for Alembic's commands, which run over ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
