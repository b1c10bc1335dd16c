"""Taking an image in by one statement: its row, its embedding and the work that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import and_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import REAL, TIMESTAMP, insert

from domain.embeddings import ModelState
from domain.images import ImageStatus
from domain.models import LIVE
from infra.postgres.filters import array
from infra.postgres.rows import image_row
from infra.postgres.tables import EmbeddingRow, ImageRow, ModelRow, WorkRow

if TYPE_CHECKING:
    from sqlalchemy import CTE, Select

    from domain.embeddings import Embedding
    from domain.images import Image
    from infra.postgres.models import ActiveModel


def insertion(model: ActiveModel, image: Image, embedding: Embedding) -> Select[Any]:
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
    others = and_(models.c.state.in_(LIVE), models.c.id != model.id, is_ready)
    left = (
        insert(WorkRow.metadata.tables["work"])
        .from_select(
            ["model_id", "image_id"],
            select(models.c.id, new.c.id).select_from(models.join(new, others)),
        )
        .cte("left_to_do")
    )
    return select(new.c.id).add_cte(embedded, left)


def expectation(model: ActiveModel, image: Image) -> Select[Any]:
    """Return what keeps an image with the work on it, or neither, and then returns its id.

    The work is the model's, or that of the one that answers where the model was dropped meanwhile.
    """
    new = _new(image)
    models = ModelRow.metadata.tables["models"]
    whose = (
        select(models.c.id)
        .where(models.c.state.in_(LIVE))
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
