"""A random sample of the embeddings, and their comparison with a few points in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    ARRAY,
    Double,
    Uuid,
    cast,
    column,
    func,
    select,
    table,
    tablesample,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import REAL
from sqlmodel import col

from domain.entities.filters import EVERYTHING
from infra.postgres.catalog.facets import selection_conditions
from infra.postgres.images import ImageRow
from infra.postgres.parameters import array
from infra.postgres.vectors.binary import embedding_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.embeddings import Embedding
    from domain.entities.facets import Selection
    from infra.postgres.models.active import ActiveModel


SAMPLE_OVERSAMPLING_FACTOR = 3
"""How many times the sample's size is read. TABLESAMPLE can choose fewer blocks than expected, and
embeddings from more blocks make a better sample."""


async def sample(connection: AsyncConnection, *, model: ActiveModel, size: int) -> list[Embedding]:
    """Return ``size`` embeddings, or a few less, or all where there are fewer.

    TABLESAMPLE SYSTEM reads whole blocks, chosen at random. A block has images in the order of
    their uploads.
    """
    partition = table(model.partition, column("embedding", VECTOR()))
    count = await connection.scalar(select(func.count()).select_from(partition)) or 0
    percentage = min(100.0, 100.0 * SAMPLE_OVERSAMPLING_FACTOR * size / max(count, 1))
    sampled = tablesample(partition, func.system(percentage))
    vectors = select(func.vector_send(sampled.c.embedding))
    # Without a random order, LIMIT would keep the oldest images of the sampled blocks.
    rows = await connection.scalars(vectors.order_by(func.random()).limit(size))
    return [embedding_of(each) for each in rows]


async def cosines(
    connection: AsyncConnection,
    *,
    model: ActiveModel,
    ids: Sequence[UUID],
    points: Sequence[Embedding],
) -> dict[UUID, Sequence[float]]:
    """Return the cosine similarities of images to points, by image."""
    if not points:
        return {}
    partition = _partition(model)
    statement = select(partition.c.image_id, _distances(points)).where(
        partition.c.image_id == func.any(array(ids, Uuid()))
    )
    rows = await connection.execute(statement)
    return {image_id: [-distance for distance in distances] for image_id, distances in rows}


async def count_nearest(
    connection: AsyncConnection,
    *,
    model: ActiveModel,
    selection: Selection,
    points: Sequence[Embedding],
) -> list[int]:
    """Count for each point the images that are nearest to it.

    Each distance is calculated once, into an array. ``array_position`` finds the least of them; a
    subquery over the array would take three times as long.
    """
    counts = [0] * len(points)
    if not points:
        return counts
    partition = _partition(model)
    source: Any = partition
    selected: list[ColumnElement[bool]] = []
    if selection != EVERYTHING:
        source = partition.join(ImageRow, col(ImageRow.id) == partition.c.image_id)
        selected = list(selection_conditions(selection))
    # OFFSET 0 is an optimization fence: without it, PostgreSQL would calculate the distances again
    # at each use of the array.
    measured = (
        select(_distances(points).label("distances"))
        .select_from(source)
        .where(*selected)
        .offset(0)
        .subquery()
    )
    distances: Any = type_coerce(measured.c.distances, ARRAY(Double()))
    least = func.least(*(distances[index] for index in range(1, len(points) + 1)))
    nearest = func.array_position(distances, least)
    for index, count in await connection.execute(select(nearest, func.count()).group_by(nearest)):
        counts[index - 1] = count
    return counts


def _partition(model: ActiveModel) -> Any:  # noqa: ANN401 - SQLAlchemy's
    return table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))


def _distances(points: Sequence[Embedding]) -> ColumnElement[Any]:
    embedding = column("embedding", VECTOR())
    return postgresql.array(
        [embedding.max_inner_product(cast(array(point, REAL()), VECTOR())) for point in points]
    )
