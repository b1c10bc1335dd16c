"""The vector index on pgvector: exact scans, and scans of an HNSW index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Uuid, cast, column, func, select, table, tablesample, true
from sqlalchemy.dialects.postgresql import REAL, aggregate_order_by
from sqlmodel import col

from domain.entities.embeddings import Hit, Ranking
from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import ImageRow
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.repeatable import fetch_rows, repeatable
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.planner import (
    EXACT_BELOW,
    RERANK_EXTRA_HITS,
    Planner,
    SearchBreadth,
    search_breadth,
)
from infra.postgres.vectors.points import cosines, count_nearest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel

T = TypeVar("T")

logger = logging.getLogger(__name__)

SAMPLE_OVERSAMPLING_FACTOR = 3
"""How many times the sample's size is read. TABLESAMPLE can choose fewer blocks than expected, and
embeddings from more blocks make a better sample."""

INDEX_SCAN_SETTINGS = {
    # Continues the scan where the filter left too few. The order is corrected by the final sort.
    "hnsw.iterative_scan": "relaxed_order",
    # Past this limit, pgvector returns candidates that it had discarded before. No library reaches
    # it: the LIMIT of the statement ends the scan.
    "hnsw.max_scan_tuples": "2147483647",
    "hnsw.scan_mem_multiplier": "8",
}


@dataclass(frozen=True)
class PostgresVectorIndex:
    """The embeddings of one model, in a partition with its own HNSW index."""

    engine: AsyncEngine
    model: ActiveModel
    exact_below: int = EXACT_BELOW
    planner: Planner = field(default_factory=Planner)

    async def search(
        self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool = False
    ) -> Ranking:
        """Scan the index, or compare all matching images where that is faster.

        PostgreSQL's planner estimates how many match. An index scan that finds fewer than ``limit``
        is followed by an exact scan.
        """

        async def work(connection: AsyncConnection) -> Ranking:
            if not exact:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                if breadth.is_cheaper and estimate.matching >= self.exact_below:
                    scan = _index_scan(self.model, query, criteria, breadth, limit=limit)
                    ranking = await _execute_scan(connection, scan, limit=limit, exact=False)
                    logger.debug("index scan: %s, %s hits", estimate, len(ranking.hits))
                    if len(ranking.hits) == limit:
                        return ranking
            scan = _exact_scan(self.model, query, criteria, limit=limit)
            ranking = await _execute_scan(connection, scan, limit=limit, exact=True)
            logger.debug("exact scan: %s hits", len(ranking.hits))
            return ranking

        return await self._read(work)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        async def work(connection: AsyncConnection) -> str:
            if exact:
                statement = _exact_scan(self.model, query, criteria, limit=limit)
            else:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                statement = _index_scan(self.model, query, criteria, breadth, limit=limit)
            return await self.planner.explain(connection, statement)

        return await self._read(work)

    async def sample(self, size: int) -> Sequence[Embedding]:
        return await self._read(partial(_sample_embeddings, model=self.model, size=size))

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        vector: Any = cast(col(EmbeddingRow.embedding), array((), REAL()).type)
        statement = select(col(EmbeddingRow.image_id), vector).where(
            col(EmbeddingRow.image_id) == func.any(array(ids, Uuid())),
            col(EmbeddingRow.model_id) == self.model.id,
        )
        with dropped_models_refused(self.model):
            return {row[0]: row[1] for row in await fetch_rows(self.engine, statement)}

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        return await self._read(partial(cosines, model=self.model, ids=ids, points=points))

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        return await self._read(
            partial(count_nearest, model=self.model, selection=selection, points=points)
        )

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with dropped_models_refused(self.model):
            return await repeatable(self.engine, work)


async def _execute_scan(
    connection: AsyncConnection, scan: Select[Any], *, limit: int, exact: bool
) -> Ranking:
    """Execute an exact scan or an index scan, and return the first ``limit`` hits."""
    row = (await connection.execute(scan)).one()
    hits = zip((row[0] or ())[:limit], (row[1] or ())[:limit], strict=True)
    return Ranking(tuple(Hit(image_id, -distance) for image_id, distance in hits), exact=exact)


async def _sample_embeddings(
    connection: AsyncConnection, *, model: ActiveModel, size: int
) -> list[Embedding]:
    """Return ``size`` embeddings, or a few less, or all where there are fewer.

    TABLESAMPLE SYSTEM reads whole blocks, chosen at random. A block has images in the order of
    their uploads.
    """
    partition = table(model.partition, column("embedding", VECTOR()))
    count = await connection.scalar(select(func.count()).select_from(partition)) or 0
    percentage = min(100.0, 100.0 * SAMPLE_OVERSAMPLING_FACTOR * size / max(count, 1))
    sampled = tablesample(partition, func.system(percentage))
    vectors: Any = cast(sampled.c.embedding, array((), REAL()).type)
    # Without a random order, LIMIT would keep the oldest images of the sampled blocks.
    return list(await connection.scalars(select(vectors).order_by(func.random()).limit(size)))


def _exact_scan(
    model: ActiveModel, query: Query, criteria: ImageFilter, *, limit: int
) -> Select[Any]:
    """Return the statement that compares the vectors of all matching images."""
    partition = _partition(model)
    image_id, point = partition.c.image_id, cast(array(query.embedding, REAL()), VECTOR())
    distance = partition.c.embedding.max_inner_product(point)
    return _sorted(
        _matching(partition, criteria, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(limit)
    )


def _index_scan(
    model: ActiveModel, query: Query, criteria: ImageFilter, breadth: SearchBreadth, *, limit: int
) -> Select[Any]:
    """Return the statement that scans the HNSW index. It is approximate."""
    partition = _partition(model)
    embedding, point = partition.c.embedding, array(query.embedding, REAL())
    half = HALFVEC(model.dimensions)
    settings = INDEX_SCAN_SETTINGS | {"hnsw.ef_search": str(breadth.ef_search)}
    are_set = [
        func.set_config(name, value, true()).is_not(None) for name, value in settings.items()
    ]
    # The query's vector is a scalar subquery that sets the settings. PostgreSQL evaluates it before
    # it opens the index, so one statement is enough, and the settings end with its transaction.
    half_point = select(cast(point, half)).where(*are_set).scalar_subquery()
    # ORDER BY has the distance alone: with a second column, PostgreSQL does not use the index.
    half_distance = cast(embedding, half).max_inner_product(half_point)
    scanned = (
        select(partition, half_distance.label("half_distance"))
        .order_by(half_distance)
        .limit(breadth.max_steps)
    ).subquery("scanned")
    distance = scanned.c.embedding.max_inner_product(cast(point, VECTOR())).label("distance")
    return _sorted(
        _matching(scanned, criteria, scanned.c.image_id, distance)
        .order_by(scanned.c.half_distance)
        .limit(limit + RERANK_EXTRA_HITS[query.kind])
    )


def _partition(model: ActiveModel) -> FromClause:
    return table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))


def _matching(
    images: FromClause, criteria: ImageFilter, *columns: ColumnElement[Any]
) -> Select[Any]:
    matches = list(conditions_of_embedded(criteria))
    if not matches:
        return select(*columns).select_from(images)
    joined = images.join(ImageRow, col(ImageRow.id) == images.c.image_id)
    return select(*columns).select_from(joined).where(*matches)


def _sorted(nearest: Select[Any]) -> Select[Any]:
    """Sort by the distance of full precision, then by id, into arrays, which decode fast."""
    found = nearest.cte("nearest").prefix_with("MATERIALIZED")
    ids, distances = (
        func.array_agg(aggregate_order_by(value, found.c.distance, found.c.image_id))
        for value in (found.c.image_id, found.c.distance)
    )
    # Any: only `_execute_scan` reads the columns.
    return cast_type("Select[Any]", select(ids, distances))
