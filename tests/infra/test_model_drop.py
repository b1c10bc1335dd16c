"""Dropping the model of a library, and who still asks for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.errors import InvalidArgument, Overloaded, SearchExpired
from infra.postgres.models import models as model_change
from infra.postgres.models.models import PostgresModels
from infra.postgres.work.work import PostgresWorkQueue
from tests.infra.changing import AT_NEW, NEW, OLD, VECTOR, Changing, active_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_a_dropped_model_leaves_its_name_and_nothing_else(library: Changing) -> None:
    await library.upload()
    live = await library.ready()
    with pytest.raises(InvalidArgument, match="tests/old answers; promote another model first"):
        await library.models.drop(OLD.name)
    await library.models.promote(NEW.name)
    waiting = await library.expect()
    assert OLD.name == await library.models.drop(OLD.name)
    assert {"tests/old": "retired", "tests/new": "active"} == await library.states()
    assert await library.ask(f"SELECT to_regclass('{library.old.partition}')") is None
    assert [waiting.id] == [
        task.image_id
        for task in await PostgresWorkQueue(library.engine, active_of(live)).lease(9, seconds=1)
    ]
    assert 1 == await library.ask("SELECT count(DISTINCT model_id) FROM work")
    assert OLD.name == await library.models.drop(OLD.name)
    with pytest.raises(InvalidArgument, match="No model that answered before is kept"):
        await library.models.rollback()


async def test_a_dropped_model_can_be_added_anew(library: Changing) -> None:
    image = await library.upload()
    live = await library.ready()
    await library.models.drop(NEW.name)
    with pytest.raises(InvalidArgument, match="tests/new was dropped"):
        await library.models.promote(NEW.name)
    assert live.id == (await library.ready()).id
    assert {image.id} == await library.found_by(live)


async def test_a_drop_that_was_cut_off_is_finished_by_the_next(
    library: Changing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    live = await library.ready()

    async def killed(_: float) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", killed)
        with pytest.raises(asyncio.CancelledError):
            await library.models.drop(NEW.name)
    assert "retired" == (await library.states())[NEW.name]
    assert 1 == (await library.status(NEW)).embedded
    await library.models.drop(NEW.name)
    assert await library.ask(f"SELECT to_regclass('{active_of(live).partition}')") is None


async def test_a_model_that_is_added_again_while_it_is_dropped_stays(library: Changing) -> None:
    await library.upload()
    await library.ready()
    slow = PostgresModels(library.engine, notice_seconds=0.5)
    dropping = asyncio.create_task(slow.drop(NEW.name))
    await library.until("SELECT count(*) FROM models WHERE state = 'retired'")
    live = await library.models.add(NEW, AT_NEW)
    await dropping
    await library.fill(live)
    assert await library.models.finish_backfill(live.id)
    assert 1 == (await library.status(NEW)).embedded


async def test_a_model_that_is_added_just_before_its_table_would_go_keeps_it(
    library: Changing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    await library.ready()
    slow, promptly = PostgresModels(library.engine, notice_seconds=0.5), model_change._promptly  # noqa: SLF001 - cut in two
    dropping = asyncio.create_task(slow.drop(NEW.name))
    await library.until("SELECT count(*) FROM models WHERE state = 'retired'")

    async def interrupted(change: Callable[[], Awaitable[object]]) -> object:
        monkeypatch.undo()
        made = await promptly(change)
        await dropping
        return made

    monkeypatch.setattr(model_change, "_promptly", interrupted)
    live = await library.models.add(NEW, AT_NEW)
    assert await library.ask(f"SELECT to_regclass('{active_of(live).partition}')") is not None
    await library.fill(live)
    assert await library.models.finish_backfill(live.id)


async def test_who_asks_a_model_that_was_dropped_just_now_is_told_so(library: Changing) -> None:
    image = await library.upload()
    await library.ready()
    await library.models.promote(NEW.name)
    await library.models.drop(OLD.name)
    query = Query(VECTOR, QueryKind.TEXT)
    with pytest.raises(SearchExpired, match="tests/old was dropped just now; search again"):
        await library.catalog.search(query, EVERYTHING, limit=1)
    with pytest.raises(SearchExpired):
        await library.catalog.sample(5)
    with pytest.raises(Overloaded, match="being changed just now"):
        await library.upload()
    assert {} == await library.catalog.embeddings([image.id])
    assert 1 == await library.catalog.count(EVERYTHING)


async def test_what_comes_in_by_a_model_that_was_dropped_is_worked_on_by_the_one_that_answers(
    library: Changing,
) -> None:
    live = await library.ready()
    await library.models.promote(NEW.name)
    await library.models.drop(OLD.name)
    # A request that began before all that.
    waiting = await library.expect()
    await library.fill(live)
    assert {waiting.id} == await library.found_by(live)


async def test_a_table_that_is_in_use_is_waited_for_without_holding_up_others(
    library: Changing,
) -> None:
    live = await library.ready()
    async with library.engine.begin() as other:
        await other.execute(text(f"LOCK {active_of(live).partition} IN ACCESS SHARE MODE"))
        dropping = asyncio.create_task(library.models.drop(NEW.name))
        await asyncio.sleep(0.5)
        assert not dropping.done()
        async with asyncio.timeout(5):
            await library.upload()
    assert NEW.name == await dropping
