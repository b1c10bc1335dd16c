"""What found objects promise on PostgreSQL beyond their contract."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest_asyncio
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.external_objects import KeyRange, ObjectState
from domain.entities.images import Source, uuid7
from domain.entities.work import FoundObject, IndexedImage
from infra.postgres.engine import open_engine
from infra.postgres.models.active import ActiveModel
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

MODEL = EmbeddingModel("tests/small", 3)
WHOLE = KeyRange.below("s3://photos/")
MANY = 3_000
ADD_MODEL = text("""
    INSERT INTO models (name, dimensions, state) VALUES ('tests/new', 3, 'ready') RETURNING id
""")


@pytest_asyncio.fixture
async def catalog(postgres_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(postgres_url) as engine:
        yield await PostgresLibrary.open(engine, MODEL)


def objects_of(catalog: PostgresLibrary) -> PostgresExternalObjects:
    assert catalog.model
    return PostgresExternalObjects(catalog.engine, catalog.model)


def found(*names: str) -> list[FoundObject]:
    return [FoundObject(uuid7(), Source(f"s3://photos/{name}", "1"), 1) for name in names]


async def new_model(engine: AsyncEngine) -> ActiveModel:
    async with engine.begin() as connection:
        return ActiveModel((await connection.execute(ADD_MODEL)).scalar_one(), "tests/new", 3)


async def subjects(work: PostgresWorkQueue) -> set[UUID]:
    return {task.image_id for task in await work.lease(100, seconds=60)}


async def test_what_waits_for_a_model_that_answered_before_is_handed_over(
    catalog: PostgresLibrary,
) -> None:
    assert catalog.model
    old, before = objects_of(catalog), PostgresWorkQueue(catalog.engine, catalog.model)
    here, elsewhere = found("a", "b"), [FoundObject(uuid7(), Source("s3://others/c", "1"), 1)]
    await old.add([*here, *elsewhere])
    leased = {task.image_id: task for task in await before.lease(3, seconds=60)}
    task = leased[here[0].id]

    model = await new_model(catalog.engine)
    new, after = (
        PostgresExternalObjects(catalog.engine, model),
        PostgresWorkQueue(catalog.engine, model),
    )
    await new.reassign(WHOLE)
    assert {each.id for each in here} == await subjects(after)
    assert 3 == await new.count_waiting(KeyRange.below(""))
    assert 1 == (await before.counts()).leased
    assert 2 == await new.count_waiting(WHOLE)
    lost = await before.finish(
        [IndexedImage(task, image_with(task.image_id, source=here[0].source), (1.0, 0.0, 0.0))]
    )
    assert [] == lost
    assert 2 == await old.count_waiting(WHOLE)


async def test_imports_that_run_at_once_write_each_object_down_once(
    catalog: PostgresLibrary,
) -> None:
    objects = objects_of(catalog)
    names = [f"{number:03}" for number in range(200)]
    await asyncio.gather(*(objects.add(found(*names)) for _ in range(4)))
    known = await objects.list_known(WHOLE, after="", limit=1_000)
    assert names == [each.source.location.removeprefix("s3://photos/") for each in known]
    assert 200 == await objects.count_waiting(WHOLE)
    ids = [each.id for each in known]
    await asyncio.gather(*(objects.delete(ids) for _ in range(4)))
    assert 0 == await objects.count_waiting(KeyRange.below(""))


async def test_a_chunk_of_what_is_known_is_read_along_the_index(catalog: PostgresLibrary) -> None:
    objects = objects_of(catalog)
    await objects.add(found(*(f"{number:05}" for number in range(MANY))))
    async with catalog.engine.begin() as connection:
        await connection.execute(text("ANALYZE objects"))
        await connection.execute(text("ANALYZE work"))
        from infra.postgres.work.external_objects import KNOWN  # noqa: PLC0415 - a statement to look at

        plan = await connection.scalars(
            text(f"EXPLAIN {KNOWN.text}"),
            {"first": WHOLE.first, "end": WHOLE.end, "after": "s3://photos/01000", "limit": 100},
        )
        lines = "\n".join(plan)
    assert "Index Scan using objects_by_location" in lines
    assert "Index Only Scan using work_pkey" in lines or "Index Scan using work_pkey" in lines
    states = [each.state for each in await objects.list_known(WHOLE, after="", limit=MANY)]
    assert [ObjectState.WAITING] * MANY == states
