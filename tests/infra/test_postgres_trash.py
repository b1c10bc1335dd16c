"""The trash on PostgreSQL beside workers that store their results at the same moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus
from infra.postgres.catalog.trash import (
    INSERT_TASKS_OF_RESTORED,
    LOCK_DELETED,
    MOVE_EMBEDDINGS_BACK,
    UNMARK_DELETED,
    PostgresTrash,
)
from infra.postgres.engine import open_engine
from infra.postgres.work.repair_queue import PostgresRepairQueue
from tests.contracts.conftest import MODEL
from tests.contracts.work_fixtures import EAST, PostgresWorkFixture, indexed, pending_image
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROUNDS = 20
NOW = datetime(2025, 1, 31, tzinfo=UTC)
IS_WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
FINDABLE = text("""
    SELECT count(*) FROM embeddings JOIN images ON id = image_id WHERE deleted_at IS NOT NULL
""")


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(postgres_url) as engine:
        yield await PostgresLibrary.open(engine, MODEL)


async def test_no_embedding_is_stored_for_an_image_that_is_deleted_at_that_moment(
    library: PostgresLibrary,
) -> None:
    fixture, trash = PostgresWorkFixture(library), PostgresTrash(library.engine)
    for _ in range(ROUNDS):
        await library.add_pending(image := pending_image())
        [task] = await fixture.queue.lease(1, seconds=60)
        await asyncio.gather(fixture.queue.finish([indexed(task)]), trash.add([image.id], NOW))
        async with library.engine.connect() as connection:
            assert 0 == await connection.scalar(FINDABLE)
        assert {} == await library.embeddings([image.id])


async def test_an_image_that_is_deleted_restored_and_indexed_at_the_same_moment_is_whole(
    library: PostgresLibrary,
) -> None:
    fixture, trash = PostgresWorkFixture(library), PostgresTrash(library.engine)
    for _ in range(ROUNDS):
        await library.add_pending(image := pending_image())
        [task] = await fixture.queue.lease(1, seconds=60)
        await asyncio.gather(
            trash.add([image.id], NOW),
            fixture.queue.finish([indexed(task)]),
            trash.restore([image.id]),
        )
        await trash.restore([image.id])
        for left in await fixture.queue.lease(1, seconds=60):
            await fixture.queue.finish([indexed(left)])
        assert ImageStatus.READY is (await library.get([image.id]))[image.id].status
        assert {image.id} == set(await library.embeddings([image.id]))
    assert ROUNDS == await library.count(EVERYTHING)
    assert {} == await PostgresRepairQueue(library.engine).violations()


async def test_embeddings_that_a_failed_image_left_in_the_trash_are_not_moved_back(
    library: PostgresLibrary,
) -> None:
    trash = PostgresTrash(library.engine)
    image = await library.add(image_with(), EAST)
    await trash.add([image.id], NOW)
    await PostgresWorkFixture(library).run("UPDATE images SET status = 'failed'")
    await trash.restore([image.id])
    assert {} == await library.embeddings([image.id])
    assert {} == await PostgresRepairQueue(library.engine).violations()


async def test_an_image_that_fails_while_it_is_restored_is_not_findable(
    library: PostgresLibrary,
) -> None:
    fixture, repairs = PostgresWorkFixture(library), PostgresRepairQueue(library.engine)
    image = await library.add(image_with(), EAST)
    await PostgresTrash(library.engine).add([image.id], NOW)
    # A model that is newer than the deletion: the restored image needs a task of it.
    await fixture.run(
        "INSERT INTO models (name, dimensions, state) VALUES ('tests/new', 3, 'backfilling')"
    )
    async with library.engine.begin() as restoring:
        for statement in (
            LOCK_DELETED,
            UNMARK_DELETED,
            MOVE_EMBEDDINGS_BACK,
            INSERT_TASKS_OF_RESTORED,
        ):
            await restoring.execute(statement, {"ids": [image.id]})
        failing = asyncio.create_task(repairs.fail([image.id], "Its original is lost."))
        async with asyncio.timeout(10):
            while not await fixture.run(IS_WAITING):  # noqa: ASYNC110 - another connection waits
                await asyncio.sleep(0.01)
    assert 1 == await failing
    assert ImageStatus.FAILED is (await library.get([image.id]))[image.id].status
    assert {} == await library.embeddings([image.id])
    assert [] == await fixture.run("SELECT image_id FROM work")
    assert {} == await repairs.violations()
