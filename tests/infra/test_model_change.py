"""Changing the model of a library on PostgreSQL, step by step and with every step cut off."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from domain.entities.models import ModelState
from domain.errors import InvalidArgument
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.images import image_with
from tests.infra.changing import AT_NEW, NEW, OLD, Changing, active_of
from tests.postgres_library import PostgresLibrary


async def test_a_model_is_added_filled_promoted_and_taken_back(library: Changing) -> None:
    images = {(await library.upload()).id for _ in range(5)}
    live = await library.models.add(NEW, AT_NEW)
    assert ModelState.BACKFILLING is live.state
    status = await library.status(NEW)
    assert (0, 5, 5) == (status.embedded, status.total, status.work.waiting)
    assert not await library.models.finish_backfill(live.id)

    await library.fill(live)
    assert await library.models.finish_backfill(live.id)
    assert {"tests/old": "active", "tests/new": "ready"} == await library.states()
    images.add((await library.upload()).id)

    promoted = await library.models.promote("tests/new")
    assert (NEW.name, ModelState.ACTIVE) == (promoted.name, promoted.state)
    await library.fill(live)
    assert images == await library.found_by(live)

    assert OLD.name == (await library.models.rollback()).name
    assert {"tests/old": "active", "tests/new": "ready"} == await library.states()
    assert NEW.name == (await library.models.rollback()).name


async def test_what_was_promoted_goes_on_being_kept_and_so_does_the_one_before(
    library: Changing,
) -> None:
    live = await library.ready()
    await library.models.promote(NEW.name)
    new = PostgresLibrary(library.engine, active_of(live))
    image = await new.add(image_with(), (1.0, 0.0, 0.0, 0.0))
    assert 1 == (await library.status(OLD)).work.waiting
    [old] = [each for each in await library.models.live() if each.name == OLD.name]
    await library.fill(old)
    assert {image.id} == await library.found_by(old) == await library.found_by(live)


async def test_a_model_is_only_ready_with_an_index(library: Changing) -> None:
    live = await library.models.add(NEW, AT_NEW)
    index = f"SELECT to_regclass('{active_of(live).index}')::text"
    assert await library.ask(index) is None
    assert await library.models.finish_backfill(live.id)
    assert active_of(live).index == await library.ask(index)
    assert await library.models.finish_backfill(live.id)


async def test_an_index_that_somebody_was_killed_over_is_built_anew(library: Changing) -> None:
    image = await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    await library.fill(live)
    model = active_of(live)
    await library.execute(
        f"CREATE INDEX {model.index} ON {model.partition} "
        f"USING hnsw ((embedding::halfvec({model.dimensions})) halfvec_ip_ops)"
    )
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{model.index}'::regclass"  # noqa: S608
    await library.execute(
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{model.index}'::regclass"  # noqa: S608
    )
    assert await library.models.finish_backfill(live.id)
    assert await library.ask(valid)
    assert {image.id} == await library.found_by(live)


async def test_only_one_builds_an_index(library: Changing) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    await library.execute("DELETE FROM work")
    async with library.engine.connect() as other:
        lock = "SELECT pg_advisory_lock(hashtext('pictograph index'), :model)"
        await other.execute(text(lock), {"model": live.id})
        assert not await library.models.finish_backfill(live.id)
        assert "backfilling" == (await library.states())[NEW.name]
        # Nor does anybody else look at every image meanwhile.
        assert 0 == await library.ask("SELECT count(*) FROM work")
        await other.execute(text("SELECT pg_advisory_unlock_all()"))
    assert not await library.models.finish_backfill(live.id)
    await library.fill(live)
    built = await asyncio.gather(*(library.models.finish_backfill(live.id) for _ in range(3)))
    assert any(built)
    assert "ready" == (await library.states())[NEW.name]


async def test_a_settling_that_is_stopped_is_taken_up_by_another(library: Changing) -> None:
    live = await library.models.add(NEW, AT_NEW)
    # It waits for this one, as it does for every transaction that is older than itself.
    async with library.engine.begin() as other:
        await other.execute(text(f"INSERT INTO {active_of(live).partition} SELECT LIMIT 0"))
        settling = asyncio.create_task(library.models.finish_backfill(live.id))
        building = "SELECT count(*) FROM pg_stat_progress_create_index"
        await library.until(building)
        assert 0 == (await library.status(NEW)).indexing
        settling.cancel()
        await asyncio.wait([settling])
    assert await library.models.finish_backfill(live.id)
    valid = "SELECT bool_and(indisvalid) FROM pg_index JOIN pg_class ON oid = indexrelid"
    assert await library.ask(f"{valid} WHERE relname LIKE 'embeddings%'")


async def test_adding_again_writes_down_what_is_missing_and_nothing_twice(
    library: Changing,
) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    await library.execute("DELETE FROM work")
    assert live == await library.models.add(NEW, AT_NEW)
    assert live == await library.models.add(NEW, AT_NEW)
    assert 1 == (await library.status(NEW)).work.waiting


async def test_a_picture_whose_work_was_lost_is_found_when_all_else_is_done(
    library: Changing,
) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    await library.execute("DELETE FROM work")
    assert not await library.models.finish_backfill(live.id)
    await library.fill(live)
    assert await library.models.finish_backfill(live.id)
    assert 1 == (await library.status(NEW)).embedded


async def test_what_is_not_ready_yet_is_the_active_models_alone(library: Changing) -> None:
    await library.expect()
    live = await library.models.add(NEW, AT_NEW)
    assert (1, 0) == tuple([(await library.status(model)).work.waiting for model in (OLD, NEW)])
    assert await library.models.finish_backfill(live.id)


async def test_images_that_are_deleted_meanwhile_stay_deleted(library: Changing) -> None:
    gone, kept = await library.upload(), await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    await library.catalog.delete([gone.id])
    await library.fill(live)
    assert await library.models.finish_backfill(live.id)
    await library.models.promote(NEW.name)
    assert {kept.id} == await library.found_by(live)


async def test_only_a_model_that_is_ready_and_complete_is_promoted(library: Changing) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    with pytest.raises(InvalidArgument, match="tests/new is still being filled"):
        await library.models.promote(NEW.name)
    with pytest.raises(InvalidArgument, match="tests/old answers already"):
        await library.models.promote(OLD.name)
    with pytest.raises(InvalidArgument, match="No model that answered before is kept"):
        await library.models.rollback()
    await library.fill(live)
    await library.models.finish_backfill(live.id)
    await library.upload()
    await library.age()
    with pytest.raises(InvalidArgument, match="tests/new has not embedded 1 picture yet"):
        await library.models.promote(NEW.name, even_incomplete=True)
    await library.fill(live)
    assert NEW.name == (await library.models.promote(NEW.name)).name


async def test_pictures_that_a_model_cannot_embed_are_let_pass_when_that_is_said(
    library: Changing,
) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    work = PostgresWorkQueue(library.engine, active_of(live))
    [task] = await work.lease(1, seconds=60)
    await work.fail(task, "It cannot be read.")
    assert await library.models.finish_backfill(live.id)
    status = await library.status(NEW)
    assert (1, ("It cannot be read.",)) == (status.work.failed, status.errors)
    with pytest.raises(InvalidArgument, match=r"tests/new cannot embed 1 picture, .*--even-inc"):
        await library.models.promote(NEW.name)
    await library.models.promote(NEW.name, even_incomplete=True)
    assert {"tests/old": "ready", "tests/new": "active"} == await library.states()


async def test_a_model_becomes_ready_though_pictures_come_all_the_time(library: Changing) -> None:
    await library.upload()
    live = await library.models.add(NEW, AT_NEW)
    assert not await library.models.finish_backfill(live.id)
    await library.fill(live)
    await library.upload()
    assert 1 == await library.ask("SELECT count(*) FROM work")
    assert await library.models.finish_backfill(live.id)
