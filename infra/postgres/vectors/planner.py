"""Chooses how a search is executed, by what PostgreSQL's planner estimates."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.visitors import InternalTraversal

from domain.entities.embeddings import QueryKind
from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import ImageRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.compiler import SQLCompiler

    from domain.entities.filters import ImageFilter

EXACT_BELOW = 20_000
"""Fewer candidates than this are compared one by one. That is fast, and an index scan for so few
could miss some."""

EF_SEARCH = {
    QueryKind.IMAGE: ((1_000, 100),),
    QueryKind.TEXT: ((400, 600), (1_000, 450)),
}
"""``hnsw.ef_search``, by the kind of query, up to each number of hits: how many candidates an index
scan keeps in its queue. A scan that has returned them all continues with as many more, so it
reaches at least as far as it has hits to find. Measured on 33,256 vectors of CLIP with one build of
the index, a quarter of 2,648 texts and an eighth of 1,000 pictures:

===== ===== ========= =========
kind  hits  ef_search recall@20
===== ===== ========= =========
text    120       450      .988
text    120       600      .991
text    400       450      .994
text    400       600      .991
text  1,000       450      .998
image 1,000       100      .998
===== ===== ========= =========

At 400 hits, 450 takes 1.3 times as long as 600, as it continues once.
"""

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

ESTIMATE_LIFETIME_SECONDS = 60.0
"""How long an estimate is cached. A stale one can make a search slower, not its result worse."""

MAX_CACHED_ESTIMATES = 1_000
"""How many filters have a cached estimate. The least recently used is evicted."""

EMBEDDING_LITERAL = re.compile(r"('\[[^],]*),[^]]*\]'(::(?:half)?vec)")
"""The query's embedding in a plan: hundreds of numbers. ``explain`` shows the first."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how many images match a filter, and about how many there are."""

    matching: int
    total: int


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
    ef_search = min(MAX_EF_SEARCH, round(_ef_search(kind, limit) * images_per_match))
    expected_steps = max(ef_search, round((limit + RERANK_EXTRA_HITS[kind]) * images_per_match))
    exact_scan_steps = estimate.matching // INDEX_STEP_COST[kind]
    return SearchBreadth(
        ef_search,
        max(1, min(exact_scan_steps, INDEX_SCAN_BUDGET_FACTOR * expected_steps)),
        is_cheaper=2 * expected_steps <= exact_scan_steps,
    )


def _ef_search(kind: QueryKind, limit: int) -> int:
    *table, (_, deepest) = EF_SEARCH[kind]
    return next((ef_search for hits, ef_search in table if limit <= hits), deepest)


class Planner:
    """Asks PostgreSQL's planner. Its estimates are kept in a least-recently-used cache."""

    def __init__(self) -> None:
        self._cache: dict[bytes, tuple[float, Estimate]] = {}

    async def estimate(self, connection: AsyncConnection, criteria: ImageFilter) -> Estimate:
        """Estimate how many images match, and how many there are, from statistics alone."""
        now = time.monotonic()
        # A digest bounds the size of the key: filters can be long.
        key = hashlib.sha256(repr(criteria).encode(errors="replace")).digest()
        created_at, estimate = self._cache.pop(key, (now, None))
        if estimate is None or created_at + ESTIMATE_LIFETIME_SECONDS < now:
            created_at, estimate = now, await _estimate(connection, criteria)
        self._cache[key] = (created_at, estimate)
        if len(self._cache) > MAX_CACHED_ESTIMATES:
            # A dictionary keeps the order of insertion, and each use inserts the key again.
            del self._cache[next(iter(self._cache))]
        return estimate

    async def explain(
        self,
        connection: AsyncConnection,
        statement: Select[Any],
        parameters: Mapping[str, object],
    ) -> str:
        """Return the plan of a statement as text."""
        lines = await connection.scalars(_Explain(statement, "TEXT"), dict(parameters))
        return EMBEDDING_LITERAL.sub(r"\1,…]'\2", "\n".join(lines))


async def _estimate(connection: AsyncConnection, criteria: ImageFilter) -> Estimate:
    all_images = select(literal(1)).select_from(ImageRow)
    # Two subqueries in one statement: the node of each shows all its rows, also where the planner
    # divides them among parallel workers below it.
    selects = [all_images.where(*conditions_of_embedded(criteria)), all_images]
    arrays: list[ColumnElement[Any]] = [func.array(each.scalar_subquery()) for each in selects]
    plan = (await connection.execute(_Explain(select(*arrays), "JSON"))).scalar_one()
    [root] = json.loads(plan) if isinstance(plan, str) else plan
    matching, total = (int(node["Plan Rows"]) for node in root["Plan"]["Plans"])
    return Estimate(matching, total)


class _Explain(Executable, ClauseElement):
    """EXPLAIN of a statement, in the format ``TEXT`` or ``JSON``."""

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


@compiles(_Explain)
def _compile_explain(explain: _Explain, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return f"EXPLAIN (FORMAT {explain.format}) " + compiler.process(explain.statement, **options)
