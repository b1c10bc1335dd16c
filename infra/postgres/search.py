"""Nearest neighbours in SQL: every vector compared, or the HNSW index walked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Uuid, cast, column, func, literal, select, table, true
from sqlalchemy.dialects.postgresql import REAL, aggregate_order_by
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.visitors import InternalTraversal
from sqlmodel import col

from domain.embeddings import Hit, QueryKind, Ranking
from infra.postgres.filters import array, conditions
from infra.postgres.tables import ImageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.compiler import SQLCompiler

    from domain.embeddings import Query
    from domain.filters import ImageFilter
    from infra.postgres.models import ActiveModel

EXACT_BELOW = 20_000
"""Up to so many candidates, comparing all of them is quick and a walk past them could miss some."""

WIDTH = {QueryKind.IMAGE: 100, QueryKind.TEXT: 450}
"""How many neighbours a walk keeps in view (``hnsw.ef_search``), measured for recall@20."""

SPARE = 24
"""More hits than asked of a walk: half precision takes near neighbours for equal, so that the true
distances have to choose among more than are wanted."""

WALK = {
    # Goes on where a filter let too few through; the order is put right afterwards.
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "hnsw.scan_mem_multiplier": "8",
}


class Plan(Executable, ClauseElement):
    """A statement that asks for another one's plan."""

    inherit_cache = True
    _traverse_internals = [("statement", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - its type

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement

    @property
    def _all_selected_columns(self) -> list[ColumnElement[Any]]:
        return list(self.statement.selected_columns)


@compiles(Plan)
def _compile_plan(plan: Plan, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return "EXPLAIN (FORMAT JSON) " + compiler.process(plan.statement, **options)


async def estimate(connection: AsyncConnection, criteria: ImageFilter) -> int:
    """Return how many images match, as PostgreSQL's planner reckons without looking."""
    statement = select(literal(1)).select_from(ImageRow).where(*conditions(criteria))
    plan = (await connection.execute(Plan(statement))).scalar_one()
    [root] = json.loads(plan) if isinstance(plan, str) else plan
    return int(root["Plan"]["Plan Rows"])


async def compare(
    connection: AsyncConnection,
    model: ActiveModel,
    query: Query,
    *,
    criteria: ImageFilter,
    limit: int,
) -> Ranking:
    """Compare every vector among those that match."""
    embedding, image_id = column("embedding", VECTOR()), column("image_id", Uuid())
    distance = embedding.max_inner_product(cast(array(query.embedding, REAL()), VECTOR()))
    nearest = (
        _candidates(model, criteria, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(limit)
    )
    return await _rank(connection, nearest, limit=limit, exact=True)


async def walk(
    connection: AsyncConnection,
    model: ActiveModel,
    query: Query,
    *,
    criteria: ImageFilter,
    limit: int,
) -> Ranking:
    """Walk the HNSW index, wider for texts than for pictures; it may miss some."""
    embedding, image_id = column("embedding", VECTOR()), column("image_id", Uuid())
    point = array(query.embedding, REAL())
    half = HALFVEC(model.dimensions)
    settings = WALK | {"hnsw.ef_search": str(WIDTH[query.kind])}
    applied = [
        func.set_config(name, value, true()).is_not(None) for name, value in settings.items()
    ]
    # The settings travel with the point: PostgreSQL works out this scalar before it opens the
    # index, so that one statement does, and they end with it.
    start = select(cast(point, half)).where(*applied).scalar_subquery()
    nearest = (
        _candidates(
            model,
            criteria,
            image_id,
            embedding.max_inner_product(cast(point, VECTOR())).label("distance"),
        )
        # By the distance alone: another column beside it, and the index is not used.
        .order_by(cast(embedding, half).max_inner_product(start))
        .limit(limit + SPARE)
    )
    return await _rank(connection, nearest, limit=limit, exact=False)


def _candidates(
    model: ActiveModel, criteria: ImageFilter, *columns: ColumnElement[Any]
) -> Select[Any]:
    partition = table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))
    wanted = list(conditions(criteria))
    if not wanted:
        return select(*columns).select_from(partition)
    joined = partition.join(ImageRow, col(ImageRow.id) == partition.c.image_id)
    return select(*columns).select_from(joined).where(*wanted)


async def _rank(
    connection: AsyncConnection, nearest: Select[Any], *, limit: int, exact: bool
) -> Ranking:
    """Sort by true distance, then by id, and fetch two arrays, which decode faster than rows."""
    found = nearest.cte("nearest").prefix_with("MATERIALIZED")
    ids, distances = (
        func.array_agg(aggregate_order_by(value, found.c.distance, found.c.image_id))
        for value in (found.c.image_id, found.c.distance)
    )
    row = (await connection.execute(select(ids, distances))).one()
    hits = zip((row[0] or ())[:limit], (row[1] or ())[:limit], strict=True)
    return Ranking(tuple(Hit(image_id, -distance) for image_id, distance in hits), exact=exact)
