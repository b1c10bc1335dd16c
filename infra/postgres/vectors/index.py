"""The vector index on pgvector: exact scans, and scans of an HNSW index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import Uuid, column, func, select, table, tablesample
from sqlmodel import col

from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.repeatable import fetch_rows, repeatable
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.binary import embedding_of
from infra.postgres.vectors.planner import (
    EXACT_BELOW,
    Planner,
    search_breadth,
)
from infra.postgres.vectors.points import cosines, count_nearest
from infra.postgres.vectors.scans import SearchRequest, exact_scan, index_scan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding, Query, Ranking
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel

T = TypeVar("T")

logger = logging.getLogger(__name__)

SAMPLE_OVERSAMPLING_FACTOR = 3
"""How many times the sample's size is read. TABLESAMPLE can choose fewer blocks than expected, and
embeddings from more blocks make a better sample."""


@dataclass(frozen=True)
class PostgresVectorIndex:
    """The embeddings of one model, in a partition with its own HNSW index."""

    engine: AsyncEngine
    model: ActiveModel
    exact_below: int = EXACT_BELOW
    planner: Planner = field(default_factory=Planner)

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        """Scan the index, or compare all matching images where that is faster.

        PostgreSQL's planner estimates how many match. An index scan that finds fewer than ``limit``
        is followed by an exact scan.
        """
        wanted = SearchRequest(query, criteria, limit, images)

        async def work(connection: AsyncConnection) -> Ranking:
            if not exact:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                if breadth.is_cheaper and estimate.matching >= self.exact_below:
                    ranking = await index_scan(self.model, wanted, breadth).execute(connection)
                    logger.debug("index scan: %s, %s hits", estimate, len(ranking.hits))
                    if len(ranking.hits) == limit:
                        return ranking
            ranking = await exact_scan(self.model, wanted).execute(connection)
            logger.debug("exact scan: %s hits", len(ranking.hits))
            return ranking

        return await self._read(work)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        wanted = SearchRequest(query, criteria, limit)

        async def work(connection: AsyncConnection) -> str:
            if exact:
                scan = exact_scan(self.model, wanted)
            else:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                scan = index_scan(self.model, wanted, breadth)
            return await self.planner.explain(connection, scan.statement, scan.parameters)

        return await self._read(work)

    async def sample(self, size: int) -> Sequence[Embedding]:
        return await self._read(partial(_sample_embeddings, model=self.model, size=size))

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        vector = func.vector_send(col(EmbeddingRow.embedding))
        statement = select(col(EmbeddingRow.image_id), vector).where(
            col(EmbeddingRow.image_id) == func.any(array(ids, Uuid())),
            col(EmbeddingRow.model_id) == self.model.id,
        )
        with dropped_models_refused(self.model):
            rows = await fetch_rows(self.engine, statement)
        return {row[0]: embedding_of(row[1]) for row in rows}

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
    vectors = select(func.vector_send(sampled.c.embedding))
    # Without a random order, LIMIT would keep the oldest images of the sampled blocks.
    rows = await connection.scalars(vectors.order_by(func.random()).limit(size))
    return [embedding_of(each) for each in rows]
