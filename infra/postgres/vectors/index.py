"""The vector index on pgvector: exact scans, and scans of an HNSW index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import (
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, REAL, aggregate_order_by
from sqlmodel import col

from domain.entities.embeddings import Hit, Ranking
from domain.entities.filters import EVERYTHING
from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow, image_of
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.parameters import array
from infra.postgres.repeatable import fetch_rows, repeatable
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.binary import embedding_of
from infra.postgres.vectors.planner import (
    EXACT_BELOW,
    RERANK_EXTRA_HITS,
    Planner,
    SearchBreadth,
    search_breadth,
)
from infra.postgres.vectors.points import cosines, count_nearest, sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import CTE, ColumnElement, FromClause, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel

T = TypeVar("T")

logger = logging.getLogger(__name__)

INDEX_SCAN_SETTINGS = {
    # Continues the scan where the filter left too few. The order is corrected by the final sort.
    "hnsw.iterative_scan": "relaxed_order",
    # Past this limit, pgvector returns candidates that it had discarded before. No library reaches
    # it: the LIMIT of the statement ends the scan.
    "hnsw.max_scan_tuples": "2147483647",
    "hnsw.scan_mem_multiplier": "8",
}

EMBEDDING_PARAMETER: ColumnElement[Any] = bindparam("embedding", type_=ARRAY(REAL()))
EF_SEARCH_PARAMETER: ColumnElement[Any] = bindparam("ef_search", type_=Text())
MAX_STEPS_PARAMETER: ColumnElement[Any] = bindparam("max_steps", type_=Integer())
NUMBER_PARAMETER: ColumnElement[Any] = bindparam("number", type_=Integer())
IMAGES_PARAMETER: ColumnElement[Any] = bindparam("images", type_=Integer())

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
                    ranking = await _index_scan(self.model, wanted, breadth).execute(connection)
                    logger.debug("index scan: %s, %s hits", estimate, len(ranking.hits))
                    if len(ranking.hits) == limit:
                        return ranking
            ranking = await _exact_scan(self.model, wanted).execute(connection)
            logger.debug("exact scan: %s hits", len(ranking.hits))
            return ranking

        return await self._read(work)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        wanted = SearchRequest(query, criteria, limit)

        async def work(connection: AsyncConnection) -> str:
            if exact:
                scan = _exact_scan(self.model, wanted)
            else:
                estimate = await self.planner.estimate(connection, criteria)
                breadth = search_breadth(query.kind, estimate, limit=limit)
                scan = _index_scan(self.model, wanted, breadth)
            return await self.planner.explain(connection, scan.statement, scan.parameters)

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

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with dropped_models_refused(self.model):
            return await repeatable(self.engine, work)


def _exact_scan(model: ActiveModel, wanted: SearchRequest) -> Scan:
    """Return the scan that compares the vectors of all matching images."""
    return _scan(_exact_statement, model, wanted, {"number": wanted.limit}, is_exact=True)


def _index_scan(model: ActiveModel, wanted: SearchRequest, breadth: SearchBreadth) -> Scan:
    """Return the scan of the HNSW index. It is approximate."""
    parameters = {
        "ef_search": str(breadth.ef_search),
        "max_steps": breadth.max_steps,
        "number": wanted.limit + RERANK_EXTRA_HITS[wanted.query.kind],
    }
    return _scan(_index_statement, model, wanted, parameters, is_exact=False)


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
        statement = build(model, wanted.criteria, with_images=with_images)
    values = {"embedding": wanted.query.embedding, **parameters}
    if with_images:
        values["images"] = min(wanted.images, wanted.limit)
    return Scan(statement, values, wanted.limit, is_exact)


@lru_cache(maxsize=64)
def _for_every_image(
    build: BuildStatement, model: ActiveModel, *, with_images: bool
) -> Select[Any]:
    return build(model, EVERYTHING, with_images=with_images)


def _exact_statement(
    model: ActiveModel, criteria: ImageFilter, *, with_images: bool
) -> Select[Any]:
    partition = _partition(model)
    image_id, point = partition.c.image_id, cast(EMBEDDING_PARAMETER, VECTOR())
    distance = partition.c.embedding.max_inner_product(point)
    nearest = (
        _matching(partition, criteria, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(NUMBER_PARAMETER)
    )
    return _sorted(nearest, with_images=with_images)


def _index_statement(
    model: ActiveModel, criteria: ImageFilter, *, with_images: bool
) -> Select[Any]:
    partition = _partition(model)
    half = HALFVEC(model.dimensions)
    settings: dict[str, Any] = {"hnsw.ef_search": EF_SEARCH_PARAMETER, **INDEX_SCAN_SETTINGS}
    are_set = [
        func.set_config(name, value, true()).is_not(None) for name, value in settings.items()
    ]
    # The query's vector is a scalar subquery that sets the settings. PostgreSQL evaluates it before
    # it opens the index, so one statement is enough, and the settings end with its transaction.
    half_point = select(cast(EMBEDDING_PARAMETER, half)).where(*are_set).scalar_subquery()
    # ORDER BY has the distance alone: with a second column, PostgreSQL does not use the index.
    half_distance = cast(partition.c.embedding, half).max_inner_product(half_point)
    scanned = (
        select(partition, half_distance.label("half_distance"))
        .order_by(half_distance)
        .limit(MAX_STEPS_PARAMETER)
    ).subquery("scanned")
    distance = scanned.c.embedding.max_inner_product(cast(EMBEDDING_PARAMETER, VECTOR())).label(
        "distance"
    )
    nearest = (
        _matching(scanned, criteria, scanned.c.image_id, distance)
        .order_by(scanned.c.half_distance)
        .limit(NUMBER_PARAMETER)
    )
    return _sorted(nearest, with_images=with_images)


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


def _sorted(nearest: Select[Any], *, with_images: bool) -> Select[Any]:
    """Sort by the distance of full precision, then by id, into arrays, which decode fast."""
    found = nearest.cte("nearest").prefix_with("MATERIALIZED")
    ids, distances = (
        func.array_agg(aggregate_order_by(value, found.c.distance, found.c.image_id))
        for value in (found.c.image_id, found.c.distance)
    )
    if with_images:
        return _with_rows(found, ids, distances)
    # Any: only `Scan.execute` reads the columns.
    return cast_type("Select[Any]", select(ids, distances))


def _with_rows(found: CTE, *arrays: ColumnElement[Any]) -> Select[Any]:
    """Return a row for each of the best images, with the arrays in the first of them."""
    order = (found.c.distance, found.c.image_id)
    best = (
        select(found.c.image_id, func.row_number().over(order_by=order).label("rank"))
        .order_by(*order)
        .limit(IMAGES_PARAMETER)
        .subquery("best")
    )
    is_first = best.c.rank == literal_column("1")
    in_first = [case((is_first, select(each).scalar_subquery())) for each in arrays]
    is_image = and_(col(ImageRow.id) == best.c.image_id, IS_LIVE_IMAGE)
    # An outer join, so that the first row is there in any case.
    joined = best.outerjoin(ImageRow, is_image)
    return select(*in_first, ImageRow).select_from(joined).order_by(best.c.rank)
