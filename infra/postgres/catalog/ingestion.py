"""Inserts an image with its embedding and tasks, all in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import and_, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import REAL, TIMESTAMP, insert
from sqlmodel import col

from domain.entities.images import ImageStatus
from domain.entities.models import LIVE_STATES, ModelState
from infra.postgres.engine import autocommit
from infra.postgres.images import (
    FILE_FACTS,
    ImageRow,
    description_values,
    image_of,
    image_row,
    ready_values,
)
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.tables import EmbeddingRow, ModelRow, WorkRow

if TYPE_CHECKING:
    from sqlalchemy import CTE, Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image
    from infra.postgres.models.active import ActiveModel


@dataclass(frozen=True)
class PostgresIngestion:
    """Inserts images with embeddings by one model."""

    engine: AsyncEngine
    model: ActiveModel

    async def add(self, image: Image, embedding: Embedding) -> Image:
        return await self._run(_insert(self.model, image, embedding), image)

    async def add_pending(self, image: Image) -> Image:
        return await self._run(_insert_pending(self.model, image), image)

    async def make_ready(self, image: Image, embedding: Embedding) -> None:
        statement = _with_embedding(self.model, image, embedding, new=_updated(image))
        with dropped_models_refused(self.model):
            async with autocommit(self.engine) as session:
                await session.execute(statement)

    async def _run(self, statement: Select[Any], image: Image) -> Image:
        while True:
            with dropped_models_refused(self.model):
                async with autocommit(self.engine) as session:
                    # The insert waits for any transaction that has inserted the same sha256.
                    if await session.scalar(statement):
                        return image
            if existing := await self.existing(image.sha256):
                return existing
            # The image with this sha256 was deleted between the two statements: retry.

    async def existing(self, sha256: str) -> Image | None:
        """Return the image with this digest."""
        statement = select(ImageRow).where(col(ImageRow.sha256) == sha256)
        async with autocommit(self.engine) as session:
            row = await session.scalar(statement)
        return image_of(row) if row else None


def _insert(model: ActiveModel, image: Image, embedding: Embedding) -> Select[Any]:
    """Return the statement that inserts an image, its embedding and tasks of the other models.

    It returns the id, or no row where the sha256 exists already: then it inserts nothing.
    """
    return _with_embedding(model, image, embedding, new=_inserted(image))


def _with_embedding(
    model: ActiveModel, image: Image, embedding: Embedding, *, new: CTE
) -> Select[Any]:
    """Return the statement that runs ``new``, and adds an embedding and tasks of other models.

    ``new`` returns the id of the image, or no row: then nothing is added.
    """
    is_ready = literal(image.status is ImageStatus.READY)
    vector = cast(array(embedding, REAL()), VECTOR())
    embedded = (
        insert(EmbeddingRow.metadata.tables["embeddings"])
        .from_select(
            ["image_id", "model_id", "embedding"],
            select(new.c.id, literal(model.id), vector).where(is_ready),
        )
        .on_conflict_do_nothing()
        .cte("embedded")
    )
    models = ModelRow.metadata.tables["models"]
    is_another = and_(models.c.state.in_(LIVE_STATES), models.c.id != model.id, is_ready)
    tasks = (
        insert(WorkRow.metadata.tables["work"])
        .from_select(
            ["model_id", "image_id"],
            select(models.c.id, new.c.id).select_from(models.join(new, is_another)),
        )
        .on_conflict_do_nothing()
        .cte("tasks")
    )
    return select(new.c.id).add_cte(embedded, tasks)


def _insert_pending(model: ActiveModel, image: Image) -> Select[Any]:
    """Return the statement that inserts an image and a task of the model.

    It returns the id, or no row where the sha256 exists already: then it inserts nothing. Where the
    model was dropped in the meantime, the task is the active model's.
    """
    new = _inserted(image)
    models = ModelRow.metadata.tables["models"]
    model_id = (
        select(models.c.id)
        .where(models.c.state.in_(LIVE_STATES))
        .order_by(models.c.id != model.id, models.c.state != ModelState.ACTIVE)
        .limit(1)
        .scalar_subquery()
    )
    task = (
        insert(WorkRow.metadata.tables["work"])
        .from_select(
            ["model_id", "image_id", "due_at"],
            # Due before every task of an import: a user waits for this image.
            select(model_id, new.c.id, cast(literal("-infinity"), TIMESTAMP(timezone=True))),
        )
        .cte("task")
    )
    return select(new.c.id).add_cte(task)


def _inserted(image: Image) -> CTE:
    images = ImageRow.metadata.tables["images"]
    row: dict[str, Any] = image_row(image).model_dump()
    if image.status is ImageStatus.READY:
        row["ready_at"] = func.now()
    return (
        insert(images)
        .values(row)
        .on_conflict_do_nothing(index_elements=["sha256"])
        .returning(images.c.id)
        .cte("new")
    )


def _updated(image: Image) -> CTE:
    images = ImageRow.metadata.tables["images"]
    return (
        update(images)
        .where(
            images.c.id == image.id,
            images.c.status == ImageStatus.PROCESSING.value,
            images.c.deleted_at.is_(None),
        )
        .values(ready_values(image, columns=FILE_FACTS))
        .values(description_values(image.description))
        .returning(images.c.id)
        .cte("new")
    )
