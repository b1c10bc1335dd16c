"""Dropping a model on PostgreSQL, and the queries that still reach it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.errors import Overloaded, SearchExpired
from domain.use_cases.models.drop import DropModel
from infra.postgres.catalog.trash import PostgresTrash, move_in
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.work.work import PostgresWorkQueue
from tests.postgres_models import AT_NEW, NEW, OLD, VECTOR, PostgresModelLibrary, active_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NOW = datetime(2025, 1, 31, tzinfo=UTC)


async def test_a_drop_deletes_the_partition_and_hands_the_tasks_to_the_active_model(
    library: PostgresModelLibrary,
) -> None:
    await library.upload()
    added = await library.add_ready()
    await library.use_cases.promote(NEW.name)
    expected = await library.expect_upload()
    assert OLD.name == (await library.use_cases.drop(OLD.name)).name
    assert await library.value_of(f"SELECT to_regclass('{library.old.partition}')") is None
    assert [expected] == [
        task.image_id
        for task in await PostgresWorkQueue(library.engine, active_of(added)).lease(9, seconds=1)
    ]
    assert 1 == await library.value_of("SELECT count(DISTINCT model_id) FROM work")


async def test_a_model_that_is_added_again_finds_every_image(
    library: PostgresModelLibrary,
) -> None:
    image_id = await library.upload()
    await library.add_ready()
    await library.use_cases.drop(NEW.name)
    assert {image_id} == await library.found_by(await library.add_ready())


async def test_a_drop_that_is_cut_off_is_finished_by_the_next(
    library: PostgresModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    added = await library.add_ready()

    async def be_killed(_: float) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", be_killed)
        with pytest.raises(asyncio.CancelledError):
            await library.use_cases.drop(NEW.name)
    assert "retired" == (await library.states())[NEW.name]
    assert 1 == (await library.status(NEW)).embedded
    await library.use_cases.drop(NEW.name)
    assert await library.value_of(f"SELECT to_regclass('{active_of(added).partition}')") is None


async def test_a_model_that_is_added_just_before_a_drop_would_delete_its_table_keeps_it(
    library: PostgresModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    await library.add_ready()
    dropping = asyncio.create_task(DropModel(library.changes, notice_seconds=0.5)(NEW.name))
    await library.wait_until("SELECT count(*) FROM models WHERE state = 'retired'")
    run = PostgresModelChanges.run

    async def run_and_wait_for_drop(
        self: PostgresModelChanges, change: Callable[..., Awaitable[object]]
    ) -> object:
        monkeypatch.undo()
        result = await run(self, change)
        await dropping
        return result

    monkeypatch.setattr(PostgresModelChanges, "run", run_and_wait_for_drop)
    added = await library.use_cases.add(NEW, AT_NEW)
    partition = active_of(added).partition
    assert await library.value_of(f"SELECT to_regclass('{partition}')") is not None
    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)


async def test_a_query_that_reaches_a_model_just_after_its_drop_is_refused(
    library: PostgresModelLibrary,
) -> None:
    image_id = await library.upload()
    await library.add_ready()
    await library.use_cases.promote(NEW.name)
    await library.use_cases.drop(OLD.name)
    query = Query(VECTOR, QueryKind.TEXT)
    with pytest.raises(SearchExpired, match="tests/old was dropped just now; search again"):
        await library.catalog.search(query, EVERYTHING, limit=1)
    with pytest.raises(SearchExpired):
        await library.catalog.sample(5)
    with pytest.raises(Overloaded, match="being changed just now"):
        await library.upload()
    assert {} == await library.catalog.embeddings([image_id])
    assert 1 == await library.catalog.count(EVERYTHING)


async def test_an_upload_that_reaches_a_dropped_model_is_a_task_of_the_active_one(
    library: PostgresModelLibrary,
) -> None:
    added = await library.add_ready()
    await library.use_cases.promote(NEW.name)
    await library.use_cases.drop(OLD.name)
    # As of a request that began before the drop.
    image_id = await library.expect_upload()
    await library.work(added)
    assert {image_id} == await library.found_by(added)


async def test_a_drop_waits_for_a_locked_table_without_blocking_others(
    library: PostgresModelLibrary,
) -> None:
    added = await library.add_ready()
    async with library.engine.begin() as other:
        await other.execute(text(f"LOCK {active_of(added).partition} IN ACCESS SHARE MODE"))
        dropping = asyncio.create_task(library.use_cases.drop(NEW.name))
        await asyncio.sleep(0.5)
        assert not dropping.done()
        async with asyncio.timeout(5):
            await library.upload()
    assert NEW.name == (await dropping).name


async def test_an_image_that_is_deleted_while_a_model_is_dropped_can_be_restored(
    library: PostgresModelLibrary,
) -> None:
    image_id = await library.upload()
    await library.add_ready()
    async with library.engine.begin() as other:
        await move_in(other, [image_id], NOW)
        dropping = asyncio.create_task(library.use_cases.drop(NEW.name))
        await library.wait_until(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        )
    await dropping
    assert 1 == await library.value_of("SELECT count(*) FROM deleted_embeddings")
    assert {image_id} == set(await PostgresTrash(library.engine).restore([image_id]))
    assert {image_id} == await library.found_by(library.old)


async def test_an_embedding_in_the_trash_of_a_model_that_is_gone_does_not_prevent_a_restore(
    library: PostgresModelLibrary,
) -> None:
    image_id = await library.upload()
    added = await library.add_ready()
    await library.use_cases.drop(NEW.name)
    trash = PostgresTrash(library.engine)
    await trash.add([image_id], NOW)
    await library.execute(
        "INSERT INTO deleted_embeddings (image_id, model_id, embedding)"  # noqa: S608 - an id
        f" VALUES ('{image_id}', {added.id}, '[1, 0, 0, 0]')"
    )
    assert {image_id} == set(await trash.restore([image_id]))
    assert 0 == await library.value_of("SELECT count(*) FROM deleted_embeddings")
    assert {image_id} == await library.found_by(library.old)
