"""Work on PostgreSQL: what the models of one library leave each other to do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.images import Image
from infra.postgres.engine import open_engine
from infra.postgres.models.active import ActiveModel
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.repair_queue import PostgresRepairQueue
from infra.postgres.work.work import PostgresWorkQueue
from tests.contracts.conftest import MODEL
from tests.contracts.desks import EAST, READY, PostgresDesk, found, made, processing
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MINUTE = 60.0


@pytest_asyncio.fixture
async def desk(postgres_url: str) -> AsyncIterator[PostgresDesk]:
    async with open_engine(postgres_url) as engine:
        yield PostgresDesk(await PostgresLibrary.open(engine, MODEL))


async def another(desk: PostgresDesk, state: str) -> PostgresWorkQueue:
    """Let there be another model, and return its work."""
    engine = desk.catalog.engine
    async with engine.begin() as connection:
        model_id = await connection.scalar(
            text(
                "INSERT INTO models (name, dimensions, state) VALUES ('other', 3, :state)"
                " RETURNING id"
            ),
            {"state": state},
        )
        assert isinstance(model_id, int)
        model = ActiveModel(model_id, "other", 3)
        await connection.execute(
            text(
                f"CREATE TABLE {model.partition} PARTITION OF embeddings FOR VALUES IN ({model_id})"
            )
        )
    return PostgresWorkQueue(engine, model)


@pytest.mark.parametrize("state", ["backfilling", "ready"])
async def test_every_new_picture_is_work_for_the_models_to_come(
    desk: PostgresDesk, state: str
) -> None:
    other = await another(desk, state)
    uploaded = await desk.catalog.add(image_with(), EAST)
    expected, thing = await desk.catalog.add_pending(processing()), found()
    await desk.add(thing)
    assert [uploaded] == [task.subject for task in await other.lease(10, seconds=MINUTE)]
    tasks = await desk.work.lease(10, seconds=MINUTE)
    assert [] == await desk.work.finish([made(task) for task in tasks])
    left = await other.lease(10, seconds=MINUTE)
    assert {expected.id, thing.id} == {task.image_id for task in left}
    assert [] == await other.finish([made(task) for task in left])
    assert 1 == (await other.counts()).leased
    assert [] == await desk.work.lease(10, seconds=MINUTE)


async def test_a_model_that_is_retired_gets_no_work(desk: PostgresDesk) -> None:
    other = await another(desk, "retired")
    await desk.catalog.add(image_with(), EAST)
    assert [] == await other.lease(10, seconds=MINUTE)


async def test_what_a_model_to_come_lacks_is_found_and_written_down(desk: PostgresDesk) -> None:
    image = await desk.catalog.add(image_with(), EAST)
    other = await another(desk, "backfilling")
    gaps = PostgresRepairQueue(desk.catalog.engine)
    assert [image.id] == await gaps.unembedded()
    assert 1 == await gaps.enqueue_unembedded()
    [task] = await other.lease(10, seconds=MINUTE)
    await other.fail(task, "Its bytes are gone.")
    assert [image.id] == await gaps.unembedded()
    assert 1 == await gaps.enqueue_unembedded()
    [again] = await other.lease(10, seconds=MINUTE)
    assert 1 == again.attempts


async def test_all_of_a_transaction_is_kept_or_nothing(desk: PostgresDesk) -> None:
    things = [found("a.jpg"), found("b.jpg")]
    for thing in things:
        await desk.add(thing)
    first, second = await desk.work.lease(10, seconds=MINUTE)
    wrong = made(second, embedding=(1.0, float("nan"), 0.0))
    with pytest.raises(Exception, match="NaN"):
        await desk.work.finish([made(first), wrong])
    assert {} == await desk.catalog.get([thing.id for thing in things])
    assert [] == await desk.work.finish([made(first), made(second)])
    assert 2 == len(await desk.catalog.get([thing.id for thing in things]))


async def test_an_original_that_moves_while_its_image_is_made_anew_is_read_where_it_lies_now(
    desk: PostgresDesk,
) -> None:
    things = [found(f"{name}.jpg") for name in "ab"]
    for thing in things:
        await desk.add(thing)
    tasks = await desk.work.lease(2, seconds=MINUTE)
    await desk.work.finish([made(task, sha256="f" * 64) for task in tasks])
    image_id = await desk.became(things[0])
    [heir] = [thing for thing in things if thing.id != image_id]
    engine = desk.catalog.engine
    assert isinstance(image_id, UUID)
    assert 1 == await PostgresRepairQueue(engine).reprocess([image_id])
    [task] = await desk.work.lease(1, seconds=MINUTE)
    assert [] == await PostgresExternalObjects(engine, desk.work.model).delete([image_id])
    assert isinstance(task.subject, Image)
    assert [] == await desk.work.finish([made(task, source=task.subject.source)])
    image = (await desk.catalog.get([image_id]))[image_id]
    assert (READY, heir.source) == (image.status, image.source)
