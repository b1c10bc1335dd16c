"""Nearest neighbours in SQL: every vector compared, or the HNSW index walked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Uuid, cast, column, func, select, table, tablesample, true
from sqlalchemy.dialects.postgresql import REAL, aggregate_order_by
from sqlmodel import col

from domain.entities.embeddings import Hit, QueryKind, Ranking
from infra.postgres.catalog.filters import conditions
from infra.postgres.images import ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.filters import ImageFilter
    from infra.postgres.models.active import ActiveModel
    from infra.postgres.vectors.planner import Estimate

EXACT_BELOW = 20_000
"""Up to so many candidates, comparing all of them is quick and a walk past them could miss some."""

WIDTH = {QueryKind.IMAGE: 100, QueryKind.TEXT: 450}
"""How many neighbours a walk keeps in view (``hnsw.ef_search``), measured for recall@20."""

WIDEST = 1_000
"""The most that pgvector keeps in view."""

SPARE = {QueryKind.IMAGE: 24, QueryKind.TEXT: 100}
"""More hits than asked of a walk: half precision takes near neighbours for equal, so that the true
distances have to choose among more than are wanted. For texts the walk has to go on, as it passes
some of the nearest by."""

STEP = {QueryKind.IMAGE: 6, QueryKind.TEXT: 10}
"""How many comparisons of images that match a filter take as long as one step of a walk."""

PATIENCE = 4
"""How many times as far as it should take a walk may go."""

MARGIN = 3
"""How many more are sampled than wanted, as fewer blocks may be chosen than expected, and so that
the ones that are kept come from many."""

WALK = {
    # Goes on where a filter let too few through; the order is put right afterwards.
    "hnsw.iterative_scan": "relaxed_order",
    # Past this bound, what was seen on the way would be taken for neighbours: far too many images
    # to reach it. A walk ends by the number of those that it has brought.
    "hnsw.max_scan_tuples": "2147483647",
    "hnsw.scan_mem_multiplier": "8",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a walk looks: ``width`` neighbours at a time, ``most`` in all."""

    width: int
    most: int
    pays: bool
    """Whether it should be home in half the time that comparing all that match would take."""


def reach_of(kind: QueryKind, found: Estimate, *, limit: int) -> Reach:
    """Return how far to walk for ``limit`` hits where so many match.

    The fewer match, the wider the view. Where those that match lie far from the query, a walk is
    in vain: it ends when it has taken as long as comparing all of them, or much longer than most.
    """
    rarity = max(1.0, found.total / max(1, found.matching))
    width = min(WIDEST, round(WIDTH[kind] * rarity))
    steps = max(width, round((limit + SPARE[kind]) * rarity))
    most = found.matching // STEP[kind]
    return Reach(width, max(1, min(most, PATIENCE * steps)), pays=2 * steps <= most)


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
    partition = _partition(model)
    image_id, point = partition.c.image_id, cast(array(query.embedding, REAL()), VECTOR())
    distance = partition.c.embedding.max_inner_product(point)
    return _sorted(
        _matching(partition, criteria, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(limit)
    )


def walk(
    model: ActiveModel, query: Query, criteria: ImageFilter, reach: Reach, *, limit: int
) -> Select[Any]:
    """Return what walks the HNSW index, as far as is said; it may miss some."""
    partition = _partition(model)
    embedding, point = partition.c.embedding, array(query.embedding, REAL())
    half = HALFVEC(model.dimensions)
    settings = WALK | {"hnsw.ef_search": str(reach.width)}
    applied = [
        func.set_config(name, value, true()).is_not(None) for name, value in settings.items()
    ]
    # The settings travel with the point: PostgreSQL works out this scalar before it opens the
    # index, so that one statement does, and they end with it.
    start = select(cast(point, half)).where(*applied).scalar_subquery()
    # By the distance alone: another column beside it, and the index is not used.
    nearness = cast(embedding, half).max_inner_product(start)
    walked = (
        select(partition, nearness.label("nearness")).order_by(nearness).limit(reach.most)
    ).subquery("walked")
    distance = walked.c.embedding.max_inner_product(cast(point, VECTOR())).label("distance")
    return _sorted(
        _matching(walked, criteria, walked.c.image_id, distance)
        .order_by(walked.c.nearness)
        .limit(limit + SPARE[query.kind])
    )


def _partition(model: ActiveModel) -> FromClause:
    return table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))


def _matching(
    images: FromClause, criteria: ImageFilter, *columns: ColumnElement[Any]
) -> Select[Any]:
    wanted = list(conditions(criteria))
    if not wanted:
        return select(*columns).select_from(images)
    joined = images.join(ImageRow, col(ImageRow.id) == images.c.image_id)
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
