"""The vector index on pgvector: exact scans, and scans of an HNSW index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Uuid, func, select
from sqlmodel import col

from domain.entities.embeddings import Hit, Ranking
from domain.entities.filters import EVERYTHING
from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import image_of
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.repeatable import fetch_rows, repeatable
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.binary import embedding_of
from infra.postgres.vectors.index_state import IndexState
from infra.postgres.vectors.planner import RERANK_EXTRA_HITS, Planner, search_breadth
from infra.postgres.vectors.points import cosines, count_nearest, sample
from infra.postgres.vectors.scan_tables import ScanTableInUse
from infra.postgres.vectors.statements import exact_statement, index_statement, scan_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel
    from infra.postgres.vectors.planner import SearchBreadth

T = TypeVar("T")

logger = logging.getLogger(__name__)

BuildStatement: TypeAlias = "Callable[..., Select[Any]]"
"""Builds the statement of one kind of scan, without its parameters."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a search of the index is asked for."""

    query: Query
    criteria: ImageFilter
    limit: int
    images: int = 0
    """How many of the best hits come with their images."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A statement that returns the nearest images, and its parameters."""

    statement: Select[Any]
    parameters: Mapping[str, object]
    limit: int
    is_exact: bool

    async def execute(self, connection: AsyncConnection) -> Ranking:
        """Return the first ``limit`` hits, and the images that come with them."""
        rows = (await connection.execute(self.statement, dict(self.parameters))).all()
        # The arrays are in the first row only.
        ids, distances = rows[0][:2] if rows else (None, None)
        hits = zip((ids or ())[: self.limit], (distances or ())[: self.limit], strict=True)
        images = [image_of(row) for row in rows if len(row) > 2 and row.id is not None]  # noqa: PLR2004 - the arrays
        return Ranking(
            tuple(Hit(image_id, -distance) for image_id, distance in hits),
            exact=self.is_exact,
            images={image.id: image for image in images},
        )


@dataclass(frozen=True)
class PostgresVectorIndex:
    """The embeddings of one model, in a partition with its own HNSW index."""

    engine: AsyncEngine
    model: ActiveModel
    scans: ScanTableInUse = field(default_factory=ScanTableInUse)
    planner: Planner = field(default_factory=Planner)
    index_state: IndexState = field(default_factory=IndexState)

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
        is followed by an exact scan. While the index is not built, searches are exact.
        """
        wanted = SearchRequest(query, criteria, limit, images)

        async def work(connection: AsyncConnection) -> Ranking:
            if not exact:
                breadth = await self._breadth(connection, wanted)
                if breadth.is_cheaper and await self.index_state.is_built(connection, self.model):
                    ranking = await _index_scan(self.model, wanted, breadth).execute(connection)
                    logger.debug("index scan: %s, %s hits", breadth, len(ranking.hits))
                    if len(ranking.hits) == limit:
                        return ranking
            ranking = await _exact_scan(self.model, wanted).execute(connection)
            logger.debug("exact scan: %s hits", len(ranking.hits))
            return ranking

        return await self._read(work)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        wanted = SearchRequest(query, criteria, limit)

        async def work(connection: AsyncConnection) -> str:
            breadth = await self._breadth(connection, wanted)
            if exact:
                scan = _exact_scan(self.model, wanted)
                is_built = await self.index_state.is_built(connection, self.model)
                reason = breadth.describe_exact(is_built=is_built)
            else:
                scan = _index_scan(self.model, wanted, breadth)
                reason = breadth.describe_index_scan()
            plan = await self.planner.explain(connection, scan.statement, scan.parameters)
            return f"{reason}\n{plan}"

        return await self._read(work)

    async def sample(self, size: int) -> Sequence[Embedding]:
        return await self._read(partial(sample, model=self.model, size=size))

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

    async def _breadth(self, connection: AsyncConnection, wanted: SearchRequest) -> SearchBreadth:
        estimate = await self.planner.estimate(connection, wanted.criteria)
        return search_breadth(self.scans.table, wanted.query, estimate, limit=wanted.limit)

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with dropped_models_refused(self.model):
            return await repeatable(self.engine, work)


def _exact_scan(model: ActiveModel, wanted: SearchRequest) -> Scan:
    """Return the scan that compares the vectors of all matching images."""
    return _scan(exact_statement, model, wanted, {"number": wanted.limit}, is_exact=True)


def _index_scan(model: ActiveModel, wanted: SearchRequest, breadth: SearchBreadth) -> Scan:
    """Return the scan of the HNSW index. It is approximate."""
    parameters = {
        **scan_settings(breadth.parameters),
        "max_steps": breadth.max_steps,
        "number": wanted.limit + RERANK_EXTRA_HITS[wanted.query.kind],
    }
    return _scan(index_statement, model, wanted, parameters, is_exact=False)


def _scan(
    build: BuildStatement,
    model: ActiveModel,
    wanted: SearchRequest,
    parameters: Mapping[str, object],
    *,
    is_exact: bool,
) -> Scan:
    with_images = wanted.images > 0
    # Building a statement takes longer than executing it.
    if wanted.criteria == EVERYTHING:
        statement = _for_every_image(build, model, with_images=with_images)
    else:
        conditions = list(conditions_of_embedded(wanted.criteria))
        statement = build(model, conditions, with_images=with_images)
    values = {"embedding": wanted.query.embedding, **parameters}
    if with_images:
        values["images"] = min(wanted.images, wanted.limit)
    return Scan(statement, values, wanted.limit, is_exact)


@lru_cache(maxsize=64)
def _for_every_image(
    build: BuildStatement, model: ActiveModel, *, with_images: bool
) -> Select[Any]:
    return build(model, (), with_images=with_images)
