"""What PostgreSQL's planner says of statements, without carrying them out."""

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

from infra.postgres.catalog.filters import conditions
from infra.postgres.images import ImageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.compiler import SQLCompiler

    from domain.entities.filters import ImageFilter

LIFETIME = 60.0
"""How many seconds an estimate is good for. An old one makes a search slower, never poorer."""

MOST_KEPT = 1_000
"""How many filters are remembered."""

POINT = re.compile(r"('\[[^],]*),[^]]*\]'(::(?:half)?vec)")
"""A query's embedding in a plan: hundreds of numbers, of which people read the first."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many images match a filter, about, and how many there are."""

    matching: int
    total: int


class Planner:
    """PostgreSQL's planner; what it reckons of a filter is remembered for a minute."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._known: dict[bytes, tuple[float, Estimate]] = {}

    async def estimate(self, connection: AsyncConnection, criteria: ImageFilter) -> Estimate:
        """Return how many images match, and how many there are, from statistics alone."""
        now = time.monotonic()
        # A digest, as filters may be long.
        key = hashlib.sha256(repr(criteria).encode(errors="replace")).digest()
        made, known = self._known.pop(key, (now, None))
        if known is None or made + LIFETIME < now:
            made, known = now, await _estimate(connection, criteria)
        self._known[key] = (made, known)
        if len(self._known) > MOST_KEPT:
            # The one not asked for the longest: a dictionary keeps the order in which keys came.
            del self._known[next(iter(self._known))]
        return known

    async def explain(self, connection: AsyncConnection, statement: Select[Any]) -> str:
        """Return how a statement would be carried out."""
        lines = await connection.scalars(_Plan(statement, "TEXT"))
        return POINT.sub(r"\1,…]'\2", "\n".join(lines))


async def _estimate(connection: AsyncConnection, criteria: ImageFilter) -> Estimate:
    every = select(literal(1)).select_from(ImageRow)
    # A plan for each side by side, so that each says its rows also where workers share them.
    counted = [every.where(*conditions(criteria)), every]
    arrays: list[ColumnElement[Any]] = [func.array(each.scalar_subquery()) for each in counted]
    plan = (await connection.execute(_Plan(select(*arrays), "JSON"))).scalar_one()
    [root] = json.loads(plan) if isinstance(plan, str) else plan
    matching, total = (int(each["Plan Rows"]) for each in root["Plan"]["Plans"])
    return Estimate(matching, total)


class _Plan(Executable, ClauseElement):
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


@compiles(_Plan)
def _compile_plan(plan: _Plan, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return f"EXPLAIN (FORMAT {plan.format}) " + compiler.process(plan.statement, **options)
