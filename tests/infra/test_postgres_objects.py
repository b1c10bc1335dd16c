"""PostgresExternalObjects: tasks of several models, concurrent imports, and plans."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.external_objects import KeyRange, ObjectState
from domain.entities.images import Source, uuid7
from domain.entities.work import FoundObject, IndexedImage
from infra.postgres.engine import open_engine
from infra.postgres.models.active import ActiveModel
from infra.postgres.work.external_objects import SELECT_KNOWN, PostgresExternalObjects
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

MODEL = EmbeddingModel("tests/small", 3)
PHOTOS = KeyRange.below("s3://photos/")
MANY_OBJECTS = 3_000
ADD_MODEL = text("""
    INSERT INTO models (name, dimensions, state) VALUES ('tests/new', 3, 'ready') RETURNING id
""")


@pytest_asyncio.fixture
async def library(postgres_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(postgres_url) as engine:
        yield await PostgresLibrary.open(engine, MODEL)


def objects_of(library: PostgresLibrary) -> PostgresExternalObjects:
    assert library.model
    return PostgresExternalObjects(library.engine, library.model)


def found_objects(*names: str) -> list[FoundObject]:
    return [FoundObject(uuid7(), Source(f"s3://photos/{name}", "1"), 1) for name in names]


async def new_model(engine: AsyncEngine) -> ActiveModel:
    async with engine.begin() as connection:
        return ActiveModel((await connection.execute(ADD_MODEL)).scalar_one(), "tests/new", 3)


async def subjects(work: PostgresWorkQueue) -> set[UUID]:
    return {task.image_id for task in await work.lease(100, seconds=60)}


async def test_tasks_of_a_model_that_was_active_before_are_reassigned(
    library: PostgresLibrary,
) -> None:
    assert library.model
    old, before = objects_of(library), PostgresWorkQueue(library.engine, library.model)
    photos, others = (
        found_objects("a", "b"),
        [FoundObject(uuid7(), Source("s3://others/c", "1"), 1)],
    )
    await old.add([*photos, *others])
    leased = {task.image_id: task for task in await before.lease(3, seconds=60)}
    task = leased[photos[0].id]

    model = await new_model(library.engine)
    new, after = (
        PostgresExternalObjects(library.engine, model),
        PostgresWorkQueue(library.engine, model),
    )
    await new.reassign(PHOTOS)
    assert {each.id for each in photos} == await subjects(after)
    assert 3 == await new.count_waiting(KeyRange.below(""))
    assert 1 == (await before.counts()).leased
    assert 2 == await new.count_waiting(PHOTOS)
    without_image = await before.finish(
        [IndexedImage(task, image_with(task.image_id, source=photos[0].source), (1.0, 0.0, 0.0))]
    )
    assert [] == without_image
    assert 2 == await old.count_waiting(PHOTOS)


async def test_concurrent_imports_insert_each_object_once(
    library: PostgresLibrary,
) -> None:
    objects = objects_of(library)
    names = [f"{number:03}" for number in range(200)]
    await asyncio.gather(*(objects.add(found_objects(*names)) for _ in range(4)))
    known = await objects.list_known(PHOTOS, after="", limit=1_000)
    assert names == [each.source.location.removeprefix("s3://photos/") for each in known]
    assert 200 == await objects.count_waiting(PHOTOS)
    ids = [each.id for each in known]
    await asyncio.gather(*(objects.mark_missing(ids) for _ in range(4)))
    assert 0 == await objects.count_waiting(KeyRange.below(""))


async def test_a_page_of_known_objects_is_read_along_the_index(library: PostgresLibrary) -> None:
    objects = objects_of(library)
    await objects.add(found_objects(*(f"{number:05}" for number in range(MANY_OBJECTS))))
    async with library.engine.begin() as connection:
        # Tasks of a library are due at many times, so work_by_due is no way to those of an image.
        await connection.execute(text("UPDATE work SET due_at = due_at - random() * interval '1h'"))
        await connection.execute(text("ANALYZE objects"))
        await connection.execute(text("ANALYZE work"))

        plan = await connection.scalars(
            text(f"EXPLAIN {SELECT_KNOWN.text}"),
            {"first": PHOTOS.first, "end": PHOTOS.end, "after": "s3://photos/01000", "limit": 100},
        )
        lines = "\n".join(plan)
    assert "Index Scan using objects_by_location" in lines
    assert "Index Only Scan using work_pkey" in lines or "Index Scan using work_pkey" in lines
    states = [each.state for each in await objects.list_known(PHOTOS, after="", limit=MANY_OBJECTS)]
    assert [ObjectState.WAITING] * MANY_OBJECTS == states


@pytest.mark.parametrize("change", ["mark unlisted", "replace"])
async def test_two_objects_of_a_location_that_was_left_unlisted_do_not_collide(
    library: PostgresLibrary, change: str
) -> None:
    assert library.model
    objects, work = objects_of(library), PostgresWorkQueue(library.engine, library.model)
    [old], [new] = found_objects("a"), found_objects("a")
    for found, replacing in ((old, []), (new, [old.id])):
        await objects.add([found], replacing=replacing)
        [task] = await work.lease(1, seconds=60)
        image = image_with(found.id, source=found.source)
        await work.finish([IndexedImage(task, image, (1.0, 0.0, 0.0))])
    async with library.engine.begin() as connection:
        # As an import left it that read the location before the object was replaced.
        await connection.execute(
            text("UPDATE objects SET missing_since = 'infinity' WHERE id = :id"), {"id": old.id}
        )
    if change == "replace":
        await objects.add(found_objects("a"), replacing=[new.id])
    else:
        await objects.mark_missing([new.id], is_certain=False)
    async with library.engine.connect() as connection:
        ids = await connection.scalars(text("SELECT id FROM objects ORDER BY missing_since"))
        assert [old.id, new.id] == list(ids)[:2]
