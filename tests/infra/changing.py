"""A library on PostgreSQL whose model changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus
from domain.entities.work import IndexedImage
from infra.postgres.models.active import ActiveModel
from infra.postgres.models.models import PostgresModels
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image
    from domain.entities.models import LiveModel, ModelStatus

OLD, NEW = EmbeddingModel("tests/old", 3), EmbeddingModel("tests/new", 4)
AT_OLD, AT_NEW = "/models/old", "/models/new"
VECTOR = (1.0, 0.0, 0.0)


class Changing:
    """A library with a model, and what happens to it."""

    def __init__(self, engine: AsyncEngine, old: ActiveModel) -> None:
        self.engine = engine
        self.old = old
        self.models = PostgresModels(engine, notice_seconds=0)
        self.catalog = PostgresLibrary(engine, old)

    async def upload(self) -> Image:
        return await self.catalog.add(image_with(), VECTOR)

    async def expect(self) -> Image:
        return await self.catalog.add_pending(image_with(status=ImageStatus.PROCESSING))

    async def age(self) -> None:
        """Let a while pass in which workers would have done what there is to do."""
        await self.execute("UPDATE images SET ready_at = ready_at - interval '1 minute'")

    async def fill(self, live: LiveModel) -> None:
        """Work as a worker would."""
        work = PostgresWorkQueue(self.engine, active_of(live))
        vector = (1.0,) + (0.0,) * (live.dimensions - 1)
        while tasks := await work.lease(100, seconds=60):
            images = [(task, task.subject) for task in tasks]
            done = [IndexedImage(task, image, vector) for task, image in images]  # type: ignore[arg-type]
            await work.finish(done)

    async def ready(self) -> LiveModel:
        """Add the new model and fill it."""
        live = await self.models.add(NEW, AT_NEW)
        await self.fill(live)
        assert await self.models.finish_backfill(live.id)
        return live

    async def status(self, model: EmbeddingModel) -> ModelStatus:
        [found] = [each for each in await self.models.statuses() if each.name == model.name]
        return found

    async def states(self) -> dict[str, str]:
        return {each.name: each.state.value for each in await self.models.statuses()}

    async def found_by(self, live: LiveModel | ActiveModel) -> set[UUID]:
        vector = (1.0,) + (0.0,) * (live.dimensions - 1)
        catalog = PostgresLibrary(
            self.engine, ActiveModel(live.id, live.name, live.dimensions), exact_below=0
        )
        query = Query(vector, QueryKind.IMAGE)
        ranking = await catalog.search(query, EVERYTHING, limit=100, exact=False)
        return {hit.image_id for hit in ranking.hits}

    async def execute(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def until(self, question: str) -> None:
        """Wait until something is so."""
        while not await self.ask(question):  # noqa: ASYNC110 - another connection makes it so
            await asyncio.sleep(0.01)

    async def ask(self, question: str) -> object:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(question))


def active_of(live: LiveModel) -> ActiveModel:
    return ActiveModel(live.id, live.name, live.dimensions)
