"""Chooses how a search is executed, by what PostgreSQL's planner estimates."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.visitors import InternalTraversal

from domain.entities.embeddings import QueryKind
from domain.entities.scans import ADVANTAGE, QueryShape, ScanParameters
from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import ImageRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.compiler import SQLCompiler

    from domain.entities.embeddings import Query
    from domain.entities.filters import ImageFilter
    from domain.entities.scans import ScanRow, ScanTable, Tuning

MAX_EF_SEARCH = 1_000
"""The limit of pgvector."""

RERANK_EXTRA_HITS = {QueryKind.IMAGE: 24, QueryKind.TEXT: 100}
"""How many hits an index scan fetches beyond the limit. The index has half precision, which makes
near neighbours equal; the hits are ranked again by the distances of full precision. For texts, an
index scan also misses more of the nearest images at first."""

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

    parameters: ScanParameters
    max_steps: int
    """After how many images, matching or not, the scan ends."""
    exact_below: int
    """An exact scan is used where fewer images match."""
    estimate: Estimate
    row: ScanRow
    """The row of the table that the parameters come from."""
    tuning: Tuning | None
    """The origin of the table; None: it is the default one."""

    @property
    def is_cheaper(self) -> bool:
        """Whether it is expected to take at most half the time of an exact scan."""
        return self.estimate.matching >= self.exact_below

    def describe_index_scan(self) -> str:
        """Return the parameters and their origin as a sentence."""
        mode = "on" if self.parameters.iterative else "off"
        return (
            f"Index scan: ef_search {self.parameters.ef_search}, iterative scan {mode}, for "
            f"{self.row.shape} queries of up to {self.row.depth:,} hits; {self._origin}."
        )

    def describe_exact(self, *, is_built: bool) -> str:
        """Return why all matching images are compared, as a sentence."""
        if not is_built:
            return "Exact scan: the index is not built yet, which a first import does at its end."
        if self.is_cheaper:
            return (
                "Exact scan: it was asked for, or an index scan found too few hits; "
                f"{self._origin}."
            )
        return (
            f"Exact scan: about {self.estimate.matching:,} images match, and below "
            f"{self.exact_below:,} it is as good as an index scan; {self._origin}."
        )

    @property
    def _origin(self) -> str:
        if self.tuning is None:
            return "from the default table"
        stale = ""
        if self.tuning.is_stale(self.estimate.total):
            stale = "; the library has grown: run `pictograph tune` again"
        return (
            f"tuned on {self.tuning.tuned_at:%Y-%m-%d} for a recall of "
            f"{self.tuning.target_recall:g} among {self.tuning.images:,} images{stale}"
        )


def search_breadth(
    table: ScanTable, query: Query, estimate: Estimate, *, limit: int
) -> SearchBreadth:
    """Return the breadth of an index scan for ``limit`` hits, at an estimated selectivity.

    The fewer images match, the broader the scan. Where the matching images are far from the query,
    a scan finds too few: it then ends once it has cost as much as an exact scan, or
    INDEX_SCAN_BUDGET_FACTOR times what was expected.
    """
    selectivity = min(1.0, max(1, estimate.matching) / max(1, estimate.total))
    row = table.row(
        QueryShape.of(query), depth=limit, selectivity=selectivity, images=estimate.total
    )
    extra_hits = RERANK_EXTRA_HITS[query.kind]
    narrow = row.parameters.ef_search
    # The row was measured with filters that more images match.
    widening = max(1.0, row.selectivity / selectivity)
    wide = min(MAX_EF_SEARCH, round(narrow * widening))
    measured_steps = max(narrow, (row.depth + extra_hits) / row.selectivity)
    expected_steps = max(wide, (limit + extra_hits) / row.selectivity * widening)
    # Twice as many images are compared in the time of the steps.
    steps_of_exact_scan = estimate.matching * ADVANTAGE * measured_steps / max(1, row.exact_below)
    max_steps = min(steps_of_exact_scan, INDEX_SCAN_BUDGET_FACTOR * expected_steps)
    exact_below = math.ceil(row.exact_below * expected_steps / measured_steps)
    return SearchBreadth(
        # A wider scan than measured has to continue where too few match.
        ScanParameters(wide, row.parameters.iterative or widening > 1),
        max(1, round(max_steps)),
        max(exact_below, table.exact_below),
        estimate,
        row,
        table.tuning,
    )


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
