"""The work queue on PostgreSQL: several models, transactions, and concurrent changes."""

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
from tests.contracts.work_fixtures import (
    EAST,
    READY,
    PostgresWorkFixture,
    found_object,
    indexed,
    pending_image,
)
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MINUTE_SECONDS = 60.0


@pytest_asyncio.fixture
async def fixture(postgres_url: str) -> AsyncIterator[PostgresWorkFixture]:
    async with open_engine(postgres_url) as engine:
        yield PostgresWorkFixture(await PostgresLibrary.open(engine, MODEL))


async def queue_of_another_model(fixture: PostgresWorkFixture, state: str) -> PostgresWorkQueue:
    """Insert another model, and return its work queue."""
    engine = fixture.catalog.engine
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
async def test_every_new_image_has_a_task_of_each_other_live_model(
    fixture: PostgresWorkFixture, state: str
) -> None:
    other = await queue_of_another_model(fixture, state)
    uploaded = await fixture.catalog.add(image_with(), EAST)
    expected, external_object = await fixture.catalog.add_pending(pending_image()), found_object()
    await fixture.add(external_object)
    assert [uploaded] == [task.subject for task in await other.lease(10, seconds=MINUTE_SECONDS)]
    tasks = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.finish([indexed(task) for task in tasks])
    left = await other.lease(10, seconds=MINUTE_SECONDS)
    assert {expected.id, external_object.id} == {task.image_id for task in left}
    assert [] == await other.finish([indexed(task) for task in left])
    assert 1 == (await other.counts()).leased
    assert [] == await fixture.queue.lease(10, seconds=MINUTE_SECONDS)


async def test_the_embedding_of_a_model_that_comes_late_is_stored(
    fixture: PostgresWorkFixture,
) -> None:
    other = await queue_of_another_model(fixture, "ready")
    image = await fixture.catalog.add_pending(pending_image())
    await fixture.run(
        "INSERT INTO work (model_id, image_id) VALUES (:model, :id)",
        model=other.model.id,
        id=image.id,
    )
    [ours] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    [theirs] = await other.lease(1, seconds=MINUTE_SECONDS)
    assert [] == await fixture.queue.finish([indexed(ours)])
    assert [] == await other.finish([indexed(theirs)])
    assert 2 == len(await fixture.run("SELECT 1 FROM embeddings WHERE image_id = :id", id=image.id))


async def test_dead_letters_of_deleted_images_are_deleted(fixture: PostgresWorkFixture) -> None:
    kept, gone = [await fixture.catalog.add(image_with(), EAST) for _ in range(2)]
    for image in (kept, gone):
        await fixture.add(image)
    for task in await fixture.queue.lease(10, seconds=MINUTE_SECONDS):
        await fixture.queue.fail(task, "It cannot be read.")
    await fixture.run("DELETE FROM images WHERE id = :id", id=gone.id)
    assert 0 == await PostgresRepairQueue(fixture.catalog.engine).restore_tasks()
    assert 1 == (await fixture.queue.counts()).failed


async def test_a_retired_model_gets_no_tasks(fixture: PostgresWorkFixture) -> None:
    other = await queue_of_another_model(fixture, "retired")
    await fixture.catalog.add(image_with(), EAST)
    assert [] == await other.lease(10, seconds=MINUTE_SECONDS)


async def test_what_a_model_to_come_lacks_is_found_and_written_down(
    fixture: PostgresWorkFixture,
) -> None:
    image = await fixture.catalog.add(image_with(), EAST)
    other = await queue_of_another_model(fixture, "backfilling")
    repairs = PostgresRepairQueue(fixture.catalog.engine)
    assert [image.id] == await repairs.unembedded()
    assert 1 == await repairs.enqueue_unembedded()
    [task] = await other.lease(10, seconds=MINUTE_SECONDS)
    await other.fail(task, "The bytes of its original are missing.")
    assert [image.id] == await repairs.unembedded()
    assert 1 == await repairs.enqueue_unembedded()
    [again] = await other.lease(10, seconds=MINUTE_SECONDS)
    assert 1 == again.attempts


async def test_results_are_stored_in_one_transaction(fixture: PostgresWorkFixture) -> None:
    objects = [found_object("a.jpg"), found_object("b.jpg")]
    for external_object in objects:
        await fixture.add(external_object)
    first, second = await fixture.queue.lease(10, seconds=MINUTE_SECONDS)
    wrong = indexed(second, embedding=(1.0, float("nan"), 0.0))
    with pytest.raises(Exception, match="NaN"):
        await fixture.queue.finish([indexed(first), wrong])
    assert {} == await fixture.catalog.get([external_object.id for external_object in objects])
    assert [] == await fixture.queue.finish([indexed(first), indexed(second)])
    assert 2 == len(await fixture.catalog.get([external_object.id for external_object in objects]))


async def test_a_source_that_changes_during_reprocessing_is_kept(
    fixture: PostgresWorkFixture,
) -> None:
    objects = [found_object(f"{name}.jpg") for name in "ab"]
    for external_object in objects:
        await fixture.add(external_object)
    tasks = await fixture.queue.lease(2, seconds=MINUTE_SECONDS)
    await fixture.queue.finish([indexed(task, sha256="f" * 64) for task in tasks])
    image_id = await fixture.became(objects[0])
    [other] = [external_object for external_object in objects if external_object.id != image_id]
    engine = fixture.catalog.engine
    assert isinstance(image_id, UUID)
    assert 1 == await PostgresRepairQueue(engine).reprocess([image_id])
    [task] = await fixture.queue.lease(1, seconds=MINUTE_SECONDS)
    await PostgresExternalObjects(engine, fixture.queue.model).mark_missing([image_id])
    assert isinstance(task.subject, Image)
    assert [] == await fixture.queue.finish([indexed(task, source=task.subject.source)])
    image = (await fixture.catalog.get([image_id]))[image_id]
    assert (READY, other.source) == (image.status, image.source)
