"""Migrations: complete, repeatable, all or none, and taken in turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url, text

from domain.errors import Misconfigured
from infra.postgres.engine import open_engine
from infra.postgres.migrate import check_current, is_current, script, upgrade
from infra.postgres.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

EARLIER_IMAGE = """
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
    VALUES (gen_random_uuid(), 'a', 'a.jpg', 'image/jpeg', 1, now(), 'ready', '{}')
"""


async def test_the_migrations_make_the_tables_that_are_declared(postgres_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        assert [] == await connection.run_sync(differences)


async def test_images_of_the_first_version_are_there_after_the_second_without_a_hash(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(script(sync), "0001"))
            await connection.execute(text(EARLIER_IMAGE))
        await upgrade(engine)
        async with engine.connect() as connection:
            [row] = await connection.execute(text("SELECT * FROM images"))
    assert (row.filename, row.perceptual_hash, row.pixel_sha256) == ("a.jpg", None, None)


async def test_servers_that_migrate_at_once_take_turns(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(script(sync), "base"))
        assert not await is_current(engine)
        await asyncio.gather(*(upgrade(engine) for _ in range(4)))
        await check_current(engine)


async def test_migrations_that_are_not_current_are_refused(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Misconfigured, match="pictograph migrate"):
            await check_current(engine)


async def test_a_user_without_rights_learns_which(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine, engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(script(sync), "base"))
        await connection.execute(text("DROP EXTENSION vector"))
        await connection.execute(text("DROP TABLE alembic_version"))
        await connection.execute(text("DROP ROLE IF EXISTS guest"))
        await connection.execute(text("CREATE ROLE guest LOGIN"))
    url = make_url(postgres_url).set(username="guest").render_as_string(hide_password=False)
    async with open_engine(url) as engine:
        with pytest.raises(Misconfigured, match=r"user guest may not .*CREATE EXTENSION vector"):
            await upgrade(engine)


async def test_a_migration_that_fails_is_raised_as_it_is(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM alembic_version"))
        with pytest.raises(Exception, match="already exists"):
            await upgrade(engine)
