"""A library on PostgreSQL whose models change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain import build_model_use_cases
from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus
from domain.entities.work import IndexedImage
from domain.use_cases.models.drop import DropModel
from infra.postgres.models.active import ActiveModel
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.models.models import PostgresModels
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary, scans_exact_below

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.models import ModelStatus, StoredModel

OLD, NEW = EmbeddingModel("tests/old", 3), EmbeddingModel("tests/new", 4)
AT_OLD, AT_NEW = "/models/old", "/models/new"
VECTOR = (1.0, 0.0, 0.0)


class PostgresModelLibrary:
    """A library with one ACTIVE model, and the use cases that change its models."""

    def __init__(self, engine: AsyncEngine, old: ActiveModel) -> None:
        self.engine = engine
        self.old = old
        self.models = PostgresModels(engine)
        self.changes = PostgresModelChanges(engine)
        use_cases = build_model_use_cases(self.models, self.changes, lambda: datetime.now(UTC))
        self.use_cases = replace(use_cases, drop=DropModel(self.changes, notice_seconds=0))
        self.catalog = PostgresLibrary(engine, old)

    async def upload(self) -> UUID:
        """Add a READY image that the first model has embedded; other live models get a task."""
        return (await self.catalog.add(image_with(), VECTOR)).id

    async def expect_upload(self) -> UUID:
        """Add a PROCESSING image, which is a task of the first model alone."""
        return (await self.catalog.add_pending(image_with(status=ImageStatus.PROCESSING))).id

    async def work(self, model: StoredModel) -> None:
        """Finish all tasks of a model, as a worker would."""
        work = PostgresWorkQueue(self.engine, active_of(model))
        vector = (1.0,) + (0.0,) * (model.dimensions - 1)
        while tasks := await work.lease(100, seconds=60):
            images = [(task, task.subject) for task in tasks]
            done = [IndexedImage(task, image, vector) for task, image in images]  # type: ignore[arg-type]
            await work.finish(done)

    async def fail_tasks(self, model: StoredModel, reason: str) -> None:
        """Make all tasks of a model dead letters."""
        work = PostgresWorkQueue(self.engine, active_of(model))
        for task in await work.lease(100, seconds=60):
            await work.fail(task, reason)

    async def lose_tasks(self) -> None:
        await self.execute("DELETE FROM work")

    async def pass_time(self) -> None:
        """Let a minute pass, in which workers would have finished their tasks."""
        await self.execute("UPDATE images SET ready_at = ready_at - interval '1 minute'")

    async def add_ready(self) -> StoredModel:
        """Add the new model and complete its backfill."""
        model = await self.use_cases.add(NEW, AT_NEW)
        await self.work(model)
        assert await self.use_cases.finish_backfill(model.id)
        return model

    async def status(self, model: EmbeddingModel) -> ModelStatus:
        [found] = [each for each in await self.models.statuses() if each.name == model.name]
        return found

    async def states(self) -> dict[str, str]:
        return {each.name: each.state.value for each in await self.models.list()}

    async def found_by(self, model: StoredModel | ActiveModel) -> set[UUID]:
        """Return the images that a search through the index of a model finds."""
        vector = (1.0,) + (0.0,) * (model.dimensions - 1)
        catalog = PostgresLibrary(self.engine, active_of(model), scans=scans_exact_below(0))
        query = Query(vector, QueryKind.IMAGE)
        ranking = await catalog.search(query, EVERYTHING, limit=100, exact=False)
        return {hit.image_id for hit in ranking.hits}

    async def execute(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def wait_until(self, query: str) -> None:
        """Wait until the value of a query is true."""
        while not await self.value_of(query):  # noqa: ASYNC110 - another connection changes it
            await asyncio.sleep(0.01)

    async def value_of(self, query: str) -> object:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(query))


def active_of(model: StoredModel | ActiveModel) -> ActiveModel:
    return ActiveModel(model.id, model.name, model.dimensions)
