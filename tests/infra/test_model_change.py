"""Changing a model on PostgreSQL: partitions, indexes, locks, and steps that are cut off."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.errors import Misconfigured
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.models import changes
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary
from tests.postgres_models import AT_NEW, NEW, OLD, PostgresModelLibrary, active_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_a_promoted_model_finds_every_image(library: PostgresModelLibrary) -> None:
    images = {await library.upload() for _ in range(5)}
    added = await library.add_ready()
    images.add(await library.upload())
    await library.use_cases.promote(NEW.name)
    await library.work(added)
    assert images == await library.found_by(added)


async def test_both_models_embed_new_images_after_a_promotion(
    library: PostgresModelLibrary,
) -> None:
    added = await library.add_ready()
    await library.use_cases.promote(NEW.name)
    new = PostgresLibrary(library.engine, active_of(added))
    image = await new.add(image_with(), (1.0, 0.0, 0.0, 0.0))
    assert 1 == (await library.status(OLD)).work.waiting
    old = await library.use_cases.find(OLD.name)
    await library.work(old)
    assert {image.id} == await library.found_by(old) == await library.found_by(added)


async def test_a_model_is_ready_only_with_an_index(library: PostgresModelLibrary) -> None:
    added = await library.use_cases.add(NEW, AT_NEW)
    index = f"SELECT to_regclass('{active_of(added).index}')::text"
    assert await library.value_of(index) is None
    assert await library.use_cases.finish_backfill(added.id)
    assert active_of(added).index == await library.value_of(index)
    assert await library.use_cases.finish_backfill(added.id)


async def test_an_invalid_index_of_a_killed_process_is_built_again(
    library: PostgresModelLibrary,
) -> None:
    image_id = await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.work(added)
    model = active_of(added)
    await library.execute(
        f"CREATE INDEX {model.index} ON {model.partition} "
        f"USING hnsw ((embedding::halfvec({model.dimensions})) halfvec_ip_ops)"
    )
    is_valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{model.index}'::regclass"  # noqa: S608
    await library.execute(
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{model.index}'::regclass"  # noqa: S608
    )
    assert await library.use_cases.finish_backfill(added.id)
    assert await library.value_of(is_valid)
    assert {image_id} == await library.found_by(added)


async def test_only_one_process_builds_an_index(library: PostgresModelLibrary) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.lose_tasks()
    async with library.engine.connect() as other:
        lock = "SELECT pg_advisory_lock(hashtext('pictograph index'), :model)"
        await other.execute(text(lock), {"model": added.id})
        assert not await library.use_cases.finish_backfill(added.id)
        assert "backfilling" == (await library.states())[NEW.name]
        # Nor does another process scan all images in the meantime.
        assert 0 == await library.value_of("SELECT count(*) FROM work")
        await other.execute(text("SELECT pg_advisory_unlock_all()"))
    assert not await library.use_cases.finish_backfill(added.id)
    await library.work(added)
    built = await asyncio.gather(*(library.use_cases.finish_backfill(added.id) for _ in range(3)))
    assert any(built)
    assert "ready" == (await library.states())[NEW.name]


async def test_an_index_build_that_is_cut_off_is_repeated_by_the_next_process(
    library: PostgresModelLibrary,
) -> None:
    added = await library.use_cases.add(NEW, AT_NEW)
    # The build waits for every transaction that is older than itself.
    async with library.engine.begin() as other:
        await other.execute(text(f"INSERT INTO {active_of(added).partition} SELECT LIMIT 0"))
        finishing = asyncio.create_task(library.use_cases.finish_backfill(added.id))
        await library.wait_until("SELECT count(*) FROM pg_stat_progress_create_index")
        assert 0 == (await library.status(NEW)).indexing
        finishing.cancel()
        await asyncio.wait([finishing])
    assert await library.use_cases.finish_backfill(added.id)
    are_valid = "SELECT bool_and(indisvalid) FROM pg_index JOIN pg_class ON oid = indexrelid"
    assert await library.value_of(f"{are_valid} WHERE relname LIKE 'embeddings%'")


async def test_an_image_that_is_deleted_during_a_backfill_stays_deleted(
    library: PostgresModelLibrary,
) -> None:
    deleted, kept = await library.upload(), await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.catalog.delete([deleted])
    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)
    await library.use_cases.promote(NEW.name)
    assert {kept} == await library.found_by(added)


async def test_a_backfill_finishes_though_images_arrive_all_the_time(
    library: PostgresModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    assert not await library.use_cases.finish_backfill(added.id)
    await library.work(added)
    await library.upload()
    assert 1 == await library.value_of("SELECT count(*) FROM work")
    assert await library.use_cases.finish_backfill(added.id)


@asynccontextmanager
async def deadlock(library: PostgresModelLibrary, *locks: str) -> AsyncIterator[None]:
    """Let the block start a transaction that takes the second of these locks and then the first.

    PostgreSQL ends that one: it looks for a deadlock long before this one does.
    """
    async with library.engine.begin() as other:
        await other.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        await other.execute(text(locks[0]))
        yield
        await library.wait_until("SELECT count(*) FROM pg_locks WHERE NOT granted")
        await other.execute(text(locks[1]))


async def test_a_promotion_that_deadlocks_with_another_transaction_is_repeated(
    library: PostgresModelLibrary,
) -> None:
    await library.add_ready()
    lock = "SELECT FROM models WHERE name = '{}' FOR UPDATE"
    async with deadlock(library, lock.format(NEW.name), lock.format(OLD.name)):
        promoting = asyncio.create_task(library.use_cases.promote(NEW.name))
    assert NEW.name == (await promoting).name
    assert {OLD.name: "ready", NEW.name: "active"} == await library.states()


async def test_a_drop_that_deadlocks_with_another_transaction_is_repeated(
    library: PostgresModelLibrary,
) -> None:
    images = [await library.upload() for _ in range(2)]
    added = await library.add_ready()
    await PostgresTrash(library.engine).add(images, datetime.now(UTC))
    in_trash = f"FROM deleted_embeddings WHERE model_id = {added.id}"
    # A scan of the table comes to the row with the lowest ctid first.
    lock = f"SELECT {in_trash} AND ctid = (SELECT {{}}(ctid) {in_trash}) FOR UPDATE"
    async with deadlock(library, lock.format("max"), lock.format("min")):
        dropping = asyncio.create_task(library.use_cases.drop(NEW.name))
    assert NEW.name == (await dropping).name
    assert 0 == await library.value_of(f"SELECT count(*) {in_trash}")


async def test_tables_that_stay_locked_are_refused_and_nothing_is_changed(
    library: PostgresModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MAX_LOCK_ATTEMPTS", 2)
    async with library.engine.begin() as backup:
        await backup.execute(text("LOCK embeddings IN ACCESS SHARE MODE"))
        await backup.execute(text("LOCK images IN SHARE MODE"))
        with pytest.raises(Misconfigured, match="keeps the tables locked; repeat the command"):
            await library.use_cases.add(NEW, AT_NEW)
    assert {OLD.name: "active"} == await library.states()
    await library.use_cases.add(NEW, AT_NEW)
