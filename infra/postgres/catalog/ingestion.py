"""Adds images by one statement each: the row, its embedding, and tasks of the other models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import and_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import REAL, TIMESTAMP, insert
from sqlmodel import col

from domain.entities.images import ImageStatus
from domain.entities.models import LIVE_STATES, ModelState
from infra.postgres.engine import autocommit
from infra.postgres.images import ImageRow, image_of, image_row
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
    """Adds images with their embeddings by one model."""

    engine: AsyncEngine
    model: ActiveModel

    async def add(self, image: Image, embedding: Embedding) -> Image:
        return await self._run(_insert(self.model, image, embedding), image)

    async def add_pending(self, image: Image) -> Image:
        return await self._run(_insert_pending(self.model, image), image)

    async def _run(self, statement: Select[Any], image: Image) -> Image:
        while True:
            async with dropped_models_refused(autocommit(self.engine), self.model) as session:
                # Where another transaction inserts the same digest, this waits for its commit.
                if await session.scalar(statement):
                    return image
            if existing := await self.existing(image.sha256):
                return existing
            # The image with this digest was deleted in between: try again.

    async def existing(self, sha256: str) -> Image | None:
        """Return the image with this digest."""
        same = select(ImageRow).where(col(ImageRow.sha256) == sha256)
        async with autocommit(self.engine) as session:
            row = await session.scalar(same)
        return image_of(row) if row else None


def _insert(model: ActiveModel, image: Image, embedding: Embedding) -> Select[Any]:
    """Return what keeps an image with its embedding, or neither, and then returns its id.

    Nothing is kept, and nothing returned, where its sha256 is here.
    """
    new = _new(image)
    is_ready = literal(image.status is ImageStatus.READY)
    vector = cast(array(embedding, REAL()), VECTOR())
    embedded = (
        insert(EmbeddingRow.metadata.tables["embeddings"])
        .from_select(
            ["image_id", "model_id", "embedding"],
            select(new.c.id, literal(model.id), vector).where(is_ready),
        )
        .cte("embedded")
    )
    models = ModelRow.metadata.tables["models"]
    others = and_(models.c.state.in_(LIVE_STATES), models.c.id != model.id, is_ready)
    left = (
        insert(WorkRow.metadata.tables["work"])
        .from_select(
            ["model_id", "image_id"],
            select(models.c.id, new.c.id).select_from(models.join(new, others)),
        )
        .cte("left_to_do")
    )
    return select(new.c.id).add_cte(embedded, left)


def _insert_pending(model: ActiveModel, image: Image) -> Select[Any]:
    """Return what keeps an image with the work on it, or neither, and then returns its id.

    The work is the model's, or that of the one that answers where the model was dropped meanwhile.
    """
    new = _new(image)
    models = ModelRow.metadata.tables["models"]
    whose = (
        select(models.c.id)
        .where(models.c.state.in_(LIVE_STATES))
        .order_by(models.c.id != model.id, models.c.state != ModelState.ACTIVE)
        .limit(1)
        .scalar_subquery()
    )
    work = (
        insert(WorkRow.metadata.tables["work"])
        .from_select(
            ["model_id", "image_id", "due_at"],
            # Before all that a bulk import has written down: somebody waits for it.
            select(whose, new.c.id, cast(literal("-infinity"), TIMESTAMP(timezone=True))),
        )
        .cte("work_to_do")
    )
    return select(new.c.id).add_cte(work)


def _new(image: Image) -> CTE:
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
