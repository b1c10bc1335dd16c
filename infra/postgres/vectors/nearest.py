"""Nearest neighbours in SQL: an exact scan of all vectors, or a scan of the HNSW index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Uuid, cast, column, func, select, table, tablesample, true
from sqlalchemy.dialects.postgresql import REAL, aggregate_order_by
from sqlmodel import col

from domain.entities.embeddings import Hit, QueryKind, Ranking
from infra.postgres.catalog.filters import conditions_of_embedded
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
"""Fewer candidates than this are compared one by one. That is fast, and an index scan for so few
could miss some."""

EF_SEARCH = {QueryKind.IMAGE: 100, QueryKind.TEXT: 450}
"""``hnsw.ef_search``: how many candidates an index scan keeps in its queue, measured for
recall@20."""

MAX_EF_SEARCH = 1_000
"""The limit of pgvector."""

RERANK_EXTRA_HITS = {QueryKind.IMAGE: 24, QueryKind.TEXT: 100}
"""How many hits an index scan fetches beyond the limit. The index has half precision, which makes
near neighbours equal; the hits are ranked again by the distances of full precision. For texts, an
index scan also misses more of the nearest images at first."""

INDEX_STEP_COST = {QueryKind.IMAGE: 6, QueryKind.TEXT: 10}
"""The cost of one step of an index scan, in comparisons of an exact scan of the matching images."""

INDEX_SCAN_BUDGET_FACTOR = 4
"""An index scan gives up after this multiple of the steps that it is expected to take."""

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


@dataclass(frozen=True, slots=True)
class SearchBreadth:
    """The breadth of an index scan, and whether its cost is low enough."""

    ef_search: int
    """How many candidates the scan keeps in its queue."""
    max_steps: int
    """After how many images, matching or not, the scan ends."""
    is_cheaper: bool
    """Whether it is expected to take at most half the time of an exact scan."""


def search_breadth(kind: QueryKind, estimate: Estimate, *, limit: int) -> SearchBreadth:
    """Return the breadth of an index scan for ``limit`` hits, at an estimated selectivity.

    The fewer images match, the broader the scan. Where the matching images are far from the query,
    a scan finds too few: it then ends once it has cost as much as an exact scan, or
    INDEX_SCAN_BUDGET_FACTOR times what was expected.
    """
    images_per_match = max(1.0, estimate.total / max(1, estimate.matching))
    ef_search = min(MAX_EF_SEARCH, round(EF_SEARCH[kind] * images_per_match))
    expected_steps = max(ef_search, round((limit + RERANK_EXTRA_HITS[kind]) * images_per_match))
    exact_scan_steps = estimate.matching // INDEX_STEP_COST[kind]
    return SearchBreadth(
        ef_search,
        max(1, min(exact_scan_steps, INDEX_SCAN_BUDGET_FACTOR * expected_steps)),
        is_cheaper=2 * expected_steps <= exact_scan_steps,
    )


async def execute_scan(
    connection: AsyncConnection, scan: Select[Any], *, limit: int, exact: bool
) -> Ranking:
    """Execute an exact scan or an index scan, and return the first ``limit`` hits."""
    row = (await connection.execute(scan)).one()
    hits = zip((row[0] or ())[:limit], (row[1] or ())[:limit], strict=True)
    return Ranking(tuple(Hit(image_id, -distance) for image_id, distance in hits), exact=exact)


async def sample_embeddings(
    connection: AsyncConnection, model: ActiveModel, size: int
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


def exact_scan(
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


def index_scan(
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
    # Any: only `execute_scan` reads the columns.
    return cast_type("Select[Any]", select(ids, distances))
