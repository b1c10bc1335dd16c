"""Many images held against a few points in SQL: every cosine, or which point is the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import ARRAY, Double, Uuid, cast, column, func, select, table, type_coerce
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import REAL
from sqlmodel import col

from domain.entities.filters import EVERYTHING
from infra.postgres.catalog.facets import meant
from infra.postgres.images import ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.entities.embeddings import Embedding
    from domain.entities.facets import Selection
    from infra.postgres.models.active import ActiveModel


async def cosines(
    session: AsyncSession, model: ActiveModel, ids: Sequence[UUID], *, points: Sequence[Embedding]
) -> dict[UUID, Sequence[float]]:
    """Return the cosine similarities of images to points."""
    if not points:
        return {}
    embedded = _embedded(model)
    statement = select(embedded.c.image_id, _distances(points)).where(
        embedded.c.image_id == func.any(array(ids, Uuid()))
    )
    rows = await session.execute(statement)
    return {image_id: [-distance for distance in distances] for image_id, distances in rows}


async def count_nearest(
    session: AsyncSession,
    model: ActiveModel,
    selection: Selection,
    *,
    points: Sequence[Embedding],
) -> list[int]:
    """Count for each point the images that are nearest to it.

    Each distance is worked out once, in an array; where in that the least one stands is found
    without a subquery, which would take three times as long.
    """
    counts = [0] * len(points)
    if not points:
        return counts
    embedded = _embedded(model)
    source: Any = embedded
    if selection != EVERYTHING:
        source = embedded.join(ImageRow, col(ImageRow.id) == embedded.c.image_id)
    # Without the offset, PostgreSQL would put the distances in wherever the array is named.
    measured = (
        select(_distances(points).label("distances"))
        .select_from(source)
        .where(*meant(selection))
        .offset(0)
        .subquery()
    )
    distances: Any = type_coerce(measured.c.distances, ARRAY(Double()))
    least = func.least(*(distances[place] for place in range(1, len(points) + 1)))
    nearest = func.array_position(distances, least)
    for place, count in await session.execute(select(nearest, func.count()).group_by(nearest)):
        counts[place - 1] = count
    return counts


def _embedded(model: ActiveModel) -> Any:  # noqa: ANN401 - SQLAlchemy's
    return table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))


def _distances(points: Sequence[Embedding]) -> ColumnElement[Any]:
    embedding = column("embedding", VECTOR())
    return postgresql.array(
        [embedding.max_inner_product(cast(array(point, REAL()), VECTOR())) for point in points]
    )
