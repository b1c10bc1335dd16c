"""The vector index on pgvector: exact scans, and scans of an HNSW index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, cast, func, select
from sqlalchemy.dialects.postgresql import REAL
from sqlmodel import col

from infra.postgres.engine import autocommit
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.nearest import (
    EXACT_BELOW,
    exact_scan,
    execute_scan,
    index_scan,
    sample_embeddings,
    search_breadth,
)
from infra.postgres.vectors.planner import Planner
from infra.postgres.vectors.points import cosines, count_nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from domain.entities.embeddings import Embedding, Query, Ranking
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel

logger = logging.getLogger(__name__)


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
        async with self._session() as session:
            connection = await session.connection()
            if not exact:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                if breadth.is_cheaper and estimate.matching >= self.exact_below:
                    scan = index_scan(self.model, query, criteria, breadth, limit=limit)
                    ranking = await execute_scan(connection, scan, limit=limit, exact=False)
                    logger.debug("index scan: %s, %s hits", estimate, len(ranking.hits))
                    if len(ranking.hits) == limit:
                        return ranking
            scan = exact_scan(self.model, query, criteria, limit=limit)
            ranking = await execute_scan(connection, scan, limit=limit, exact=True)
            logger.debug("exact scan: %s hits", len(ranking.hits))
            return ranking

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        async with self._session() as session:
            connection = await session.connection()
            if exact:
                statement = exact_scan(self.model, query, criteria, limit=limit)
            else:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                statement = index_scan(self.model, query, criteria, breadth, limit=limit)
            return await self.planner.explain(connection, statement)

    async def sample(self, size: int) -> Sequence[Embedding]:
        async with self._session() as session:
            return await sample_embeddings(await session.connection(), self.model, size)

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        vector: Any = cast(col(EmbeddingRow.embedding), array((), REAL()).type)
        statement = select(col(EmbeddingRow.image_id), vector).where(
            col(EmbeddingRow.image_id) == func.any(array(ids, Uuid())),
            col(EmbeddingRow.model_id) == self.model.id,
        )
        async with self._session() as session:
            return {row[0]: row[1] for row in await session.execute(statement)}

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        async with self._session() as session:
            return await cosines(session, self.model, ids, points=points)

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        async with self._session() as session:
            return await count_nearest(session, self.model, selection, points=points)

    def _session(self) -> AbstractAsyncContextManager[AsyncSession]:
        return dropped_models_refused(autocommit(self.engine), self.model)
