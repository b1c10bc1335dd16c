"""PostgreSQL's planner: estimates of row counts, and plans, without executing a statement."""

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

from infra.postgres.catalog.filters import conditions_of_embedded
from infra.postgres.images import ImageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.compiler import SQLCompiler

    from domain.entities.filters import ImageFilter

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

    async def explain(self, connection: AsyncConnection, statement: Select[Any]) -> str:
        """Return the plan of a statement as text."""
        lines = await connection.scalars(_Explain(statement, "TEXT"))
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
