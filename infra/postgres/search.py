"""Nearest neighbours in SQL: every vector compared, or the HNSW index walked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Uuid, cast, column, func, literal, select, table, tablesample, true
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

    from domain.embeddings import Embedding, Query
    from domain.filters import ImageFilter
    from infra.postgres.models import ActiveModel

EXACT_BELOW = 20_000
"""Up to so many candidates, comparing all of them is quick and a walk past them could miss some."""

WIDTH = {QueryKind.IMAGE: 100, QueryKind.TEXT: 450}
"""How many neighbours a walk keeps in view (``hnsw.ef_search``), measured for recall@20."""

SPARE = 24
"""More hits than asked of a walk: half precision takes near neighbours for equal, so that the true
distances have to choose among more than are wanted."""

MARGIN = 3
"""How many more are sampled than wanted, as fewer blocks may be chosen than expected, and so that
the ones that are kept come from many."""

POINT = re.compile(r"('\[[^],]*),[^]]*\]'(::(?:half)?vec)")
"""A query's embedding in a plan: hundreds of numbers, of which people read the first."""

WALK = {
    # Goes on where a filter let too few through; the order is put right afterwards.
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "hnsw.scan_mem_multiplier": "8",
}


class Plan(Executable, ClauseElement):
    """A statement that asks for another one's plan, as ``TEXT`` or as ``JSON``."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - its type
        ("statement", InternalTraversal.dp_clauseelement),
        ("format", InternalTraversal.dp_string),
    ]

    def __init__(self, statement: Select[Any], format_: str) -> None:
        self.statement = statement
        self.format = format_

    @property
    def _all_selected_columns(self) -> list[ColumnElement[Any]]:
        return list(self.statement.selected_columns)


@compiles(Plan)
def _compile_plan(plan: Plan, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return f"EXPLAIN (FORMAT {plan.format}) " + compiler.process(plan.statement, **options)


async def estimate(connection: AsyncConnection, criteria: ImageFilter) -> int:
    """Return how many images match, as PostgreSQL's planner reckons without looking."""
    statement = select(literal(1)).select_from(ImageRow).where(*conditions(criteria))
    plan = (await connection.execute(Plan(statement, "JSON"))).scalar_one()
    [root] = json.loads(plan) if isinstance(plan, str) else plan
    return int(root["Plan"]["Plan Rows"])


async def explain(connection: AsyncConnection, ranking: Select[Any]) -> str:
    """Return PostgreSQL's plan of a comparison or a walk, without carrying it out."""
    lines = await connection.scalars(Plan(ranking, "TEXT"))
    return POINT.sub(r"\1,…]'\2", "\n".join(lines))


async def rank(
    connection: AsyncConnection, ranking: Select[Any], *, limit: int, exact: bool
) -> Ranking:
    """Carry out a comparison or a walk."""
    row = (await connection.execute(ranking)).one()
    hits = zip((row[0] or ())[:limit], (row[1] or ())[:limit], strict=True)
    return Ranking(tuple(Hit(image_id, -distance) for image_id, distance in hits), exact=exact)


async def sample(connection: AsyncConnection, model: ActiveModel, size: int) -> list[Embedding]:
    """Return the embeddings of about ``size`` images, or of all there are.

    Whole blocks are read, chosen by chance; images lie in them in the order of their uploads.
    """
    partition = table(model.partition, column("embedding", VECTOR()))
    count = await connection.scalar(select(func.count()).select_from(partition)) or 0
    share = min(100.0, 100.0 * MARGIN * size / max(count, 1))
    some = tablesample(partition, func.system(share))
    vectors: Any = cast(some.c.embedding, array((), REAL()).type)
    # By chance, or only the oldest images of those blocks would be kept.
    return list(await connection.scalars(select(vectors).order_by(func.random()).limit(size)))


def comparison(
    model: ActiveModel, query: Query, criteria: ImageFilter, *, limit: int
) -> Select[Any]:
    """Return what compares every vector among those that match."""
    embedding, image_id = column("embedding", VECTOR()), column("image_id", Uuid())
    distance = embedding.max_inner_product(cast(array(query.embedding, REAL()), VECTOR()))
    return _sorted(
        _candidates(model, criteria, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(limit)
    )


def walk(model: ActiveModel, query: Query, criteria: ImageFilter, *, limit: int) -> Select[Any]:
    """Return what walks the HNSW index, wider for texts than for pictures; it may miss some."""
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
    distance = embedding.max_inner_product(cast(point, VECTOR())).label("distance")
    return _sorted(
        _candidates(model, criteria, image_id, distance)
        # By the distance alone: another column beside it, and the index is not used.
        .order_by(cast(embedding, half).max_inner_product(start))
        .limit(limit + SPARE)
    )


def _candidates(
    model: ActiveModel, criteria: ImageFilter, *columns: ColumnElement[Any]
) -> Select[Any]:
    partition = table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))
    wanted = list(conditions(criteria))
    if not wanted:
        return select(*columns).select_from(partition)
    joined = partition.join(ImageRow, col(ImageRow.id) == partition.c.image_id)
    return select(*columns).select_from(joined).where(*wanted)


def _sorted(nearest: Select[Any]) -> Select[Any]:
    """Sort by true distance, then by id, into two arrays, which decode faster than rows."""
    found = nearest.cte("nearest").prefix_with("MATERIALIZED")
    ids, distances = (
        func.array_agg(aggregate_order_by(value, found.c.distance, found.c.image_id))
        for value in (found.c.image_id, found.c.distance)
    )
    # Any: nobody but `rank` reads the columns.
    return cast_type("Select[Any]", select(ids, distances))
