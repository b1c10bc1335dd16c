"""Migrations: they create the declared tables, in one transaction, one process at a time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from domain.errors import Misconfigured
from infra.postgres.catalog.trash import PostgresTrash, move_in
from infra.postgres.engine import open_engine
from infra.postgres.migrate import alembic_config, upgrade
from infra.postgres.revision import check_current, is_current, newest_revision
from infra.postgres.tables import metadata
from infra.postgres.work.repair_queue import PostgresRepairQueue
from tests.contracts.conftest import MODEL
from tests.contracts.work_fixtures import EAST
from tests.fakes.images import NOON, image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from sqlalchemy import Connection

INSERT_IMAGE_OF_0001 = """
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
    VALUES (gen_random_uuid(), 'a', 'a.jpg', 'image/jpeg', 1, now(), 'ready', '{}')
"""
INSERT_TAKEN_IMAGE = text("""
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags,
        taken_at, exif)
    VALUES (gen_random_uuid(), :sha256, 'a.jpg', 'image/jpeg', 1, now(), 'ready', '{}', :taken_at,
        CAST(:exif AS jsonb))
""")
NEW_YEAR, OFFSET = datetime(2025, 1, 1, 4, 30, tzinfo=UTC), timedelta(hours=5)
DELETE_EMBEDDING = text("DELETE FROM embeddings WHERE image_id = :id")

INSERT_HASHED_IMAGE = """
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags,
        width, height, perceptual_hash, pixel_sha256)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'a.jpg', 'image/jpeg', 1, now(), 'ready', '{}',
        :w, :h, decode(repeat('00', 32), 'hex'), 'digest')
"""


async def test_the_migrations_create_the_declared_tables(postgres_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        assert [] == await connection.run_sync(differences)


def test_the_newest_revision_is_the_head_of_alembic() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert [newest_revision()] == script.get_heads()


async def test_images_from_before_migration_0002_are_kept_without_a_hash(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
            await connection.execute(text(INSERT_IMAGE_OF_0001))
        await upgrade(engine)
        async with engine.connect() as connection:
            [row] = await connection.execute(text("SELECT * FROM images"))
    assert (row.filename, row.perceptual_hash, row.pixel_sha256) == ("a.jpg", None, None)


async def test_migration_0009_forgets_the_hashes_of_large_pictures_only(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0008"))
            for size in ((4000, 3000), (900, 1601), (1600, 1200)):
                await connection.execute(
                    text(INSERT_HASHED_IMAGE), dict(zip("wh", size, strict=True))
                )
        await upgrade(engine)
        async with engine.connect() as connection:
            rows = await connection.execute(text("SELECT * FROM images ORDER BY width"))
            hashes = {row.width: (row.perceptual_hash, row.pixel_sha256) for row in rows}
    assert {4000: (None, None), 900: (None, None), 1600: (bytes(32), "digest")} == hashes


async def test_before_migration_0010_missing_images_are_in_the_library_with_their_embeddings(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        library = await PostgresLibrary.open(engine, MODEL)
        whole, unembedded, deleted = [await library.add(image_with(), EAST) for _ in range(3)]
        trash = PostgresTrash(engine)
        async with engine.begin() as connection:
            await connection.execute(DELETE_EMBEDDING, {"id": unembedded.id})
            await move_in(connection, [whole.id, unembedded.id], NOON, is_missing=True)
        await trash.add([deleted.id], NOON)
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0009"))
        await upgrade(engine)
        ids = [each.id for each in (whole, unembedded, deleted)]
        assert {whole.id: whole, unembedded.id: unembedded} == await library.get(ids)
        assert {whole.id} == set(await library.embeddings(ids))
        repairs = PostgresRepairQueue(engine)
        assert ({}, []) == (await repairs.violations(), await repairs.unembedded())
        assert {deleted.id: deleted} == await trash.restore(ids)
        assert {whole.id, deleted.id} == set(await library.embeddings(ids))


async def test_local_times_come_from_the_tags_and_unknown_offsets_lose_their_instants(
    postgres_url: str,
) -> None:
    written = {
        "known": {"DateTimeOriginal": "2024:12:31 23:30:00", "OffsetTimeOriginal": "-05:00"},
        "digitized": {"DateTimeDigitized": "2024:12:31 23:30:00", "OffsetTimeDigitized": "-05:00"},
        "unknown": {"DateTimeOriginal": "2024:12:31 23:30:00", "OffsetTimeDigitized": "-05:00"},
    }
    instants = {"known": NEW_YEAR, "digitized": NEW_YEAR, "unknown": NEW_YEAR - OFFSET}
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0015"))
            for sha256, tags in written.items():
                values = {
                    "sha256": sha256,
                    "taken_at": instants[sha256],
                    "exif": json.dumps({"all": tags}),
                }
                await connection.execute(INSERT_TAKEN_IMAGE, values)
        await upgrade(engine)
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT sha256, taken_at, taken_at_local FROM images")
            )
            times = {row.sha256: (row.taken_at, row.taken_at_local) for row in rows}
    local = datetime(2024, 12, 31, 23, 30)  # noqa: DTZ001 - a clock's
    assert times == {
        "known": (NEW_YEAR, local),
        "digitized": (NEW_YEAR, local),
        "unknown": (None, local),
    }


async def test_concurrent_upgrades_run_one_at_a_time(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
        assert not await is_current(engine)
        await asyncio.gather(*(upgrade(engine) for _ in range(4)))
        await check_current(engine)


async def test_a_database_of_another_version_is_refused(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Misconfigured, match="pictograph migrate"):
            await check_current(engine)


async def test_the_refusal_of_a_user_without_rights_names_the_missing_ones(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine, engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
        await connection.execute(text("DROP EXTENSION vector"))
        await connection.execute(text("DROP TABLE alembic_version"))
        await connection.execute(text("DROP ROLE IF EXISTS guest"))
        await connection.execute(text("CREATE ROLE guest LOGIN"))
    url = make_url(postgres_url).set(username="guest").render_as_string(hide_password=False)
    async with open_engine(url) as engine:
        with pytest.raises(Misconfigured, match=r"user guest may not .*CREATE EXTENSION vector"):
            await upgrade(engine)


async def test_any_other_error_of_a_migration_is_raised_unchanged(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM alembic_version"))
        with pytest.raises(Exception, match="already exists"):
            await upgrade(engine)
