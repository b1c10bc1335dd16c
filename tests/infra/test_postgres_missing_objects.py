"""PostgresMissingObjects beside other changes of the same images at the same moment."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.external_objects import KeyRange
from domain.entities.images import first_uuid7
from infra.postgres.catalog.trash import PostgresTrash, move_in, move_out
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from infra.postgres.work import missing_objects as missing_objects_module
from infra.postgres.work.external_objects import (
    LOCK_IMAGES_OF_OBJECTS,
    MARK_PRESENT,
    PostgresExternalObjects,
)
from infra.postgres.work.missing_objects import PostgresMissingObjects
from infra.postgres.work.repair_queue import PostgresRepairQueue
from tests.contracts.conftest import MODEL
from tests.contracts.work_fixtures import PostgresWorkFixture, found_object, indexed
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.work import FoundObject

NOW = datetime(2025, 1, 31, tzinfo=UTC)
ROUNDS = 20
EVERYWHERE = KeyRange.below("")
IS_WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
LOCK_IMAGE = text("SELECT FROM images WHERE id = :id FOR UPDATE")
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


@asynccontextmanager
async def change_first(fixture: PostgresWorkFixture) -> AsyncIterator[AsyncConnection]:
    """Commit a transaction once a task that was started in it waits for its locks."""
    async with fixture.catalog.engine.begin() as connection:
        yield connection
        await wait_for_locks(fixture)


async def wait_for_locks(fixture: PostgresWorkFixture) -> None:
    """Wait until another transaction waits for a lock."""
    async with asyncio.timeout(10):
        while not await fixture.run(IS_WAITING):  # noqa: ASYNC110 - another connection waits
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("change", ["delete", "restore"])
async def test_an_image_that_is_deleted_or_restored_while_it_is_forgotten_stays(
    fixture: PostgresWorkFixture, change: str
) -> None:
    engine = fixture.catalog.engine
    found = await index(fixture, "a.jpg", pixels="a" * 64)
    await mark_missing(fixture, found)
    missing_objects = PostgresMissingObjects(engine)
    assert [found.id] == await missing_objects.trash(EVERYWHERE, NOW)
    async with change_first(fixture) as connection:
        if change == "delete":
            assert {found.id} == await move_in(connection, [found.id], NOW)
        else:
            await move_out(connection, [found.id])
        forgetting = asyncio.create_task(
            missing_objects.forget(EVERYWHERE, grace_period=timedelta())
        )
    assert [] == await forgetting
    assert found.id == await fixture.became(found)
    if change == "delete":
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
            await move_in(connection, [image_id], NOW)
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


@pytest.mark.parametrize("change", ["find", "detach", "delete"])
async def test_an_image_that_is_found_uploaded_or_deleted_while_it_is_moved_into_the_trash_is_not(
    fixture: PostgresWorkFixture, change: str
) -> None:
    engine = fixture.catalog.engine
    found = await index(fixture, "a.jpg", pixels="a" * 64)
    await PostgresRepairQueue(engine).reprocess([found.id])
    await mark_missing(fixture, found)
    async with change_first(fixture) as connection:
        if change == "find":
            for statement in (LOCK_IMAGES_OF_OBJECTS, MARK_PRESENT):
                await connection.execute(statement, {"ids": [found.id]})
        elif change == "detach":
            await connection.execute(DETACH, {"id": found.id})
        else:
            await move_in(connection, [found.id], NOW)
        moving = asyncio.create_task(PostgresMissingObjects(engine).trash(EVERYWHERE, NOW))
    assert [] == await moving
    assert [] == await fixture.run("SELECT id FROM images WHERE is_missing")
    # The task is not lost.
    leased = await fixture.queue.lease(1, seconds=60)
    assert (0 if change == "delete" else 1) == len(leased)


async def test_a_file_that_is_found_while_its_image_is_moved_into_the_trash_brings_it_back(
    fixture: PostgresWorkFixture,
) -> None:
    found = await index(fixture, "a.jpg", pixels="a" * 64)
    [image] = (await fixture.catalog.get([found.id])).values()
    await mark_missing(fixture, found)
    await fixture.add(moved := found_object("moved.jpg"))
    [task] = await fixture.queue.lease(1, seconds=60)
    async with change_first(fixture) as connection:
        assert {found.id} == await move_in(connection, [found.id], NOW, is_missing=True)
        recognising = asyncio.create_task(fixture.queue.recognise(task, image.sha256))
    assert await recognising
    [after] = (await fixture.catalog.get([found.id])).values()
    assert (moved.source, None) == (after.source, after.deleted_at)
    assert {found.id} == set(await fixture.catalog.embeddings([found.id]))


@pytest.mark.parametrize("change", ["upload", "delete"])
async def test_a_missing_image_that_is_uploaded_or_deleted_while_its_pixels_are_found_stays(
    fixture: PostgresWorkFixture, change: str
) -> None:
    found = await index(fixture, "a.jpg", pixels="a" * 64)
    await mark_missing(fixture, found)
    await fixture.add(found_object("other.jpg"))
    [task] = await fixture.queue.lease(1, seconds=60)
    [before] = (await fixture.catalog.get([found.id])).values()
    async with change_first(fixture) as connection:
        if change == "upload":
            await connection.execute(DETACH, {"id": found.id})
        else:
            await move_in(connection, [found.id], NOW)
        finishing = asyncio.create_task(
            fixture.queue.finish([indexed(task, pixel_sha256="a" * 64)])
        )
    await finishing
    [row] = await fixture.run("SELECT sha256, source FROM images WHERE id = :id", id=found.id)
    source = None if change == "upload" else found.source.location
    assert (before.sha256, source) == (row.sha256, row.source)


@pytest.mark.parametrize("change", ["trash", "forget", "reunite"])
async def test_a_change_that_deadlocks_with_another_transaction_is_repeated(
    fixture: PostgresWorkFixture, change: str
) -> None:
    since = first_uuid7()
    ids = [(await index(fixture, f"{name}.jpg", pixels="a" * 64)).id for name in range(2)]
    missing = ids[:1] if change == "reunite" else ids
    await PostgresExternalObjects(fixture.catalog.engine, fixture.queue.model).mark_missing(missing)
    missing_objects = PostgresMissingObjects(fixture.catalog.engine)
    if change == "forget":
        await missing_objects.trash(EVERYWHERE, NOW)
    changes = {
        "trash": partial(missing_objects.trash, EVERYWHERE, NOW),
        "forget": partial(missing_objects.forget, EVERYWHERE, grace_period=timedelta()),
        "reunite": partial(missing_objects.reunite, EVERYWHERE, since=since),
    }
    async with fixture.catalog.engine.begin() as other:
        # Locks in another order. PostgreSQL ends the change: it looks for a deadlock long before
        # this transaction does.
        await other.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        await other.execute(LOCK_IMAGE, {"id": max(ids)})
        changing = asyncio.create_task(changes[change]())
        await wait_for_locks(fixture)
        await other.execute(LOCK_IMAGE, {"id": min(ids)})
    assert sorted(ids[1:] if change == "reunite" else ids) == sorted(await changing)


async def test_images_whose_files_come_back_while_an_import_ends_are_whole(
    fixture: PostgresWorkFixture,
) -> None:
    engine = fixture.catalog.engine
    objects = PostgresExternalObjects(engine, fixture.queue.model)
    missing_objects = PostgresMissingObjects(engine)
    found = [await index(fixture, f"{number}.jpg", pixels=f"{number}") for number in range(5)]
    ids = [each.id for each in found]
    for _ in range(ROUNDS):
        await objects.mark_missing(ids)
        await asyncio.gather(
            missing_objects.trash(EVERYWHERE, NOW),
            objects.mark_present(ids),
            missing_objects.trash(EVERYWHERE, NOW),
        )
        assert set(ids) == set(await fixture.catalog.get(ids))
        assert set(ids) == set(await fixture.catalog.embeddings(ids))
    assert {} == await PostgresRepairQueue(engine).violations()


async def test_missing_images_are_moved_into_the_trash_in_batches(
    fixture: PostgresWorkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_objects_module, "FORGET_BATCH_SIZE", 2)
    names = ["a.jpg", "a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    ids = []
    for number, name in enumerate(names):
        ids.append((await index(fixture, name, pixels=f"{number}")).id)
        await PostgresExternalObjects(fixture.catalog.engine, fixture.queue.model).mark_missing(
            ids[-1:]
        )
    missing_objects = PostgresMissingObjects(fixture.catalog.engine)
    assert sorted(ids) == sorted(await missing_objects.trash(EVERYWHERE, NOW))
    assert sorted(ids) == sorted(await missing_objects.forget(EVERYWHERE, grace_period=timedelta()))
