"""Timed scans for `pictograph tune`, and the queries that it measures with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func, select, text
from sqlmodel import col

from domain.entities.scans import Trial
from domain.errors import Misconfigured
from infra.postgres.images import ImageRow
from infra.postgres.models.dropped import dropped_models_refused
from infra.postgres.repeatable import fetch_rows, repeatable
from infra.postgres.rows import search_of
from infra.postgres.tables import SearchRow
from infra.postgres.vectors.index_state import IndexState
from infra.postgres.vectors.planner import RERANK_EXTRA_HITS
from infra.postgres.vectors.statements import exact_statement, index_statement, scan_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.scans import ScanParameters
    from infra.postgres.models.active import ActiveModel

BUCKETS = 1_024
"""Into how many parts the images are divided by a hash of their ids."""

MAX_STEPS = 2**31 - 1
"""No scan of a trial gives up."""


@dataclass(frozen=True, slots=True)
class PostgresScanTrials:
    """Scans of one model's embeddings with given parameters."""

    engine: AsyncEngine
    model: ActiveModel

    async def count(self) -> int:
        async def work(connection: AsyncConnection) -> int:
            if not await IndexState().is_built(connection, self.model):
                raise Misconfigured(
                    "The index is not built yet, and searches are exact: wait until the import "
                    "has ended, or a server has built the index."
                )
            count = text(f"SELECT count(*) FROM {self.model.partition}")  # noqa: S608 - its own name
            return int(await connection.scalar(count) or 0)

        with dropped_models_refused(self.model):
            return await repeatable(self.engine, work)

    async def nearest(self, query: Query, *, depth: int, share: float) -> Trial:
        statement = exact_statement(self.model, _conditions(share))
        return await self._time(statement, query, depth, {"number": depth})

    async def scan(
        self, query: Query, parameters: ScanParameters, *, depth: int, share: float
    ) -> Trial:
        values = {
            **scan_settings(parameters),
            "max_steps": MAX_STEPS,
            "number": depth + RERANK_EXTRA_HITS[query.kind],
        }
        statement = index_statement(self.model, _conditions(share))
        return await self._time(statement, query, depth, values)

    async def _time(
        self, statement: Select[Any], query: Query, depth: int, values: Mapping[str, object]
    ) -> Trial:
        async def work(connection: AsyncConnection) -> Trial:
            began = time.perf_counter()
            rows = await connection.execute(statement, {"embedding": query.embedding, **values})
            ids = rows.one()[0] or ()
            return Trial(tuple(ids[:depth]), 1_000 * (time.perf_counter() - began))

        with dropped_models_refused(self.model):
            return await repeatable(self.engine, work)


@dataclass(frozen=True, slots=True)
class PostgresQuerySamples:
    """Kept searches of one model, and its concept bank."""

    engine: AsyncEngine
    model: ActiveModel
    bank: Callable[[], Awaitable[NDArray[Any]]]

    async def kept(self, limit: int) -> Sequence[Query]:
        statement = (
            select(*SearchRow.metadata.tables["searches"].c)
            .where(col(SearchRow.model) == self.model.name)
            .order_by(col(SearchRow.created_at).desc())
            .limit(limit)
        )
        return [search_of(row).query for row in await fetch_rows(self.engine, statement)]

    async def concepts(self) -> Sequence[Embedding]:
        return [embedding.tolist() for embedding in await self.bank()]


def _conditions(share: float) -> list[ColumnElement[bool]]:
    """Return the condition of a filter that a share of the images match, at random."""
    if share >= 1:
        return []
    bucket = func.hashtext(cast(col(ImageRow.id), Text)).op("&")(BUCKETS - 1)
    return [bucket < round(share * BUCKETS)]
