"""PostgresMissingObjects beside other changes of the same images at the same moment."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.external_objects import KeyRange
from domain.entities.images import first_uuid7
from infra.postgres.catalog.trash import LOCK_LIVE, MARK_DELETED, MOVE_EMBEDDINGS_OUT, PostgresTrash
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.missing_objects import PostgresMissingObjects
from tests.contracts.conftest import MODEL
from tests.contracts.work_fixtures import PostgresWorkFixture, found_object, indexed
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.work import FoundObject

NOW = datetime(2025, 1, 31, tzinfo=UTC)
EVERYWHERE = KeyRange.below("")
IS_WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
DESCRIBE = text("UPDATE images SET alt_text = 'A quay' WHERE id = :id")
DETACH = text("UPDATE images SET source = NULL, source_version = NULL WHERE id = :id")


@pytest_asyncio.fixture
async def fixture(postgres_url: str) -> AsyncIterator[PostgresWorkFixture]:
    async with open_engine(postgres_url) as engine:
        yield PostgresWorkFixture(await PostgresLibrary.open(engine, MODEL))


async def index(fixture: PostgresWorkFixture, name: str, *, pixels: str) -> FoundObject:
    """Index an object, and return it. Its image has the same id."""
    await fixture.add(found := found_object(name))
    [task] = await fixture.queue.lease(1, seconds=60)
    await fixture.queue.finish([indexed(task, pixel_sha256=pixels)])
    return found


async def mark_missing(fixture: PostgresWorkFixture, found: FoundObject) -> None:
    engine = fixture.catalog.engine
    await PostgresExternalObjects(engine, fixture.queue.model).mark_missing([found.id])


async def delete(connection: AsyncConnection, image_id: UUID) -> None:
    """Move an image into the trash, as PostgresTrash does."""
    for statement in (LOCK_LIVE, MARK_DELETED, MOVE_EMBEDDINGS_OUT):
        await connection.execute(statement, {"ids": [image_id], "at": NOW})


@asynccontextmanager
async def change_first(fixture: PostgresWorkFixture) -> AsyncIterator[AsyncConnection]:
    """Commit a transaction once a task that was started in it waits for its locks."""
    async with fixture.catalog.engine.begin() as connection:
        yield connection
        async with asyncio.timeout(10):
            while not await fixture.run(IS_WAITING):  # noqa: ASYNC110 - another connection waits
                await asyncio.sleep(0.01)


async def test_an_image_that_is_deleted_while_it_is_forgotten_stays_in_the_trash(
    fixture: PostgresWorkFixture,
) -> None:
    engine = fixture.catalog.engine
    found = await index(fixture, "a.jpg", pixels="a" * 64)
    await mark_missing(fixture, found)
    missing_objects = PostgresMissingObjects(engine)
    async with change_first(fixture) as connection:
        await delete(connection, found.id)
        forgetting = asyncio.create_task(
            missing_objects.forget(EVERYWHERE, grace_period=timedelta())
        )
    assert [] == await forgetting
    assert found.id == await fixture.became(found)
    assert {found.id} == set(await PostgresTrash(engine).restore([found.id]))
    assert {found.id} == set(await fixture.catalog.embeddings([found.id]))


@pytest.mark.parametrize("change", ["delete old", "delete new", "describe new", "detach old"])
async def test_images_that_are_changed_while_they_are_reunited_stay_apart(
    fixture: PostgresWorkFixture, change: str
) -> None:
    engine = fixture.catalog.engine
    since = first_uuid7()
    found = {name: await index(fixture, f"{name}.jpg", pixels="a" * 64) for name in ("old", "new")}
    await mark_missing(fixture, found["old"])
    verb, name = change.split()
    image_id = found[name].id
    async with change_first(fixture) as connection:
        if verb == "delete":
            await delete(connection, image_id)
        else:
            statement = DESCRIBE if verb == "describe" else DETACH
            await connection.execute(statement, {"id": image_id})
        reuniting = asyncio.create_task(
            PostgresMissingObjects(engine).reunite(EVERYWHERE, since=since)
        )
    assert [] == await reuniting
    for each in found.values():
        assert each.id == await fixture.became(each)


async def test_the_objects_of_an_image_remember_the_digest_that_is_computed_again(
    fixture: PostgresWorkFixture,
) -> None:
    found = await index(fixture, "a", pixels="before")
    other = await index(fixture, "b", pixels="other")
    duplicates = PostgresDuplicates(fixture.catalog.engine, fixture.queue.model)
    await duplicates.set_hash(found.id, perceptual_hash=bytes(32), pixel_sha256="after")
    async with fixture.catalog.engine.connect() as connection:
        rows = await connection.execute(text("SELECT id, pixel_sha256 FROM objects"))
        assert {found.id: "after", other.id: "other"} == {row.id: row.pixel_sha256 for row in rows}
