"""Migrations: complete, repeatable, and taken in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from infra.postgres.engine import open_engine
from infra.postgres.migrate import is_current
from infra.postgres.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


async def test_the_migrations_make_the_tables_that_are_declared(postgres_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection)
        return list(compare_metadata(context, metadata))

    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_is_current(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        assert await is_current(engine)
