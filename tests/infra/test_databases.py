"""The databases of the tests: whatever a test did in one, the next test gets one like new."""

from __future__ import annotations

import pytest

from tests.databases import MAX_USES, Databases, connected

IMAGE = """
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
    VALUES (gen_random_uuid(), 'a', 'a', 'image/png', 1, now(), 'ready', '{}')
"""


@pytest.fixture
def databases(postgres_server: str) -> Databases:
    return Databases(postgres_server)


async def lend(databases: Databases, *statements: str) -> tuple[str, int, int]:
    """Run statements in a database: its URL, and the images and relations that it had before."""
    async with databases.lend() as url, connected(url) as connection:
        images = await connection.fetchval("SELECT count(*) FROM images")
        relations = await connection.fetchval("SELECT count(*) FROM pg_class WHERE oid > 16384")
        for statement in statements:
            await connection.execute(statement)
    return url, images, relations


@pytest.mark.parametrize(
    "statement",
    [
        IMAGE,
        "CREATE TABLE embeddings_7 PARTITION OF embeddings FOR VALUES IN (7)",
        "CREATE INDEX extra ON images (filename)",
        "CREATE VIEW extra AS SELECT id FROM images",
    ],
)
async def test_a_database_is_emptied_and_used_again(databases: Databases, statement: str) -> None:
    url, _, relations = await lend(databases, statement)
    assert (url, 0, relations) == await lend(databases)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE images ADD COLUMN extra text",
        "ALTER TABLE images ALTER COLUMN filename DROP NOT NULL",
        "DROP TABLE searches",
        "DROP INDEX images_by_created_at",
        "ALTER TABLE images DISABLE TRIGGER ALL",
        "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA extra",
        "UPDATE library SET id = gen_random_uuid()",
        "UPDATE alembic_version SET version_num = '0001'",
    ],
)
async def test_a_database_of_another_shape_is_not_used_again(
    databases: Databases, statement: str
) -> None:
    url, _, relations = await lend(databases, statement)
    other, images, relations_now = await lend(databases)
    assert url != other
    assert (0, relations) == (images, relations_now)


async def test_numbers_start_again(databases: Databases) -> None:
    for _ in range(2):
        async with databases.lend() as url, connected(url) as connection:
            start = "SELECT nextval(pg_get_serial_sequence('models', 'id'))"
            assert 1 == await connection.fetchval(start)


async def test_a_database_has_a_limited_number_of_uses(databases: Databases) -> None:
    urls = [(await lend(databases))[0] for _ in range(MAX_USES + 1)]
    assert 1 == len(set(urls[:MAX_USES]))
    assert urls[-1] != urls[0]
