"""Kept searches on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import random
from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, delete, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import SQLModel, col

from domain.entities.embeddings import Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.searches import KeptSearch
from domain.errors import SearchExpired
from infra.postgres.repeatable import fetch_rows
from infra.postgres.rows import search_of, search_values
from infra.postgres.tables import SearchRow

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

DEEPENED = ("image_ids", "scores", "exact", "relevances", "stand_for", "depth", "ranked_depth")
"""The columns that change when a search is deepened."""

SEARCHES = SQLModel.metadata.tables[SearchRow.__tablename__]
IS_KNOWN_DEPTH = SEARCHES.c.depth == bindparam("known_depth", type_=Integer())

# Built once: building a statement takes longer than executing it.
INSERT = upsert(SEARCHES)
SAVE = INSERT.on_conflict_do_nothing().returning(SEARCHES.c.id)
DEEPEN = INSERT.on_conflict_do_update(
    index_elements=["id"],
    set_={name: INSERT.excluded[name] for name in DEEPENED},
    where=IS_KNOWN_DEPTH,
).returning(SEARCHES.c.id)

PROBE_NUMBERS = 2_000
"""The size of a search that checks whether searches can be saved: 16 kB."""


@dataclass(frozen=True, slots=True)
class PostgresKeptSearches:
    """Searches in an unlogged table: saving one does not wait for the disk."""

    engine: AsyncEngine

    async def save(self, search: KeptSearch) -> None:
        # Done twice, the second time changes nothing.
        await fetch_rows(self.engine, SAVE, search_values(search))

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        parameters = search_values(search) | {"known_depth": known_depth}
        # Done twice, the second time finds another depth, so that the caller loads what the first
        # has stored.
        return bool(await fetch_rows(self.engine, DEEPEN, parameters))

    async def check(self) -> None:
        """Raise Unavailable unless a search can be saved: save one, and roll it back."""
        # Random numbers, which are not compressed: the row takes new pages on the disk.
        numbers = [random() for _ in range(PROBE_NUMBERS)]  # noqa: S311 - no secret
        now = datetime.now(UTC)
        probe = KeptSearch(
            uuid7(), now, "", Query(numbers, QueryKind.TEXT), "", "", hits=(), exact=True
        )
        async with self.engine.connect() as connection:
            await connection.execute(INSERT, search_values(probe))
            await connection.rollback()

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        statement = select(SearchRow).where(
            col(SearchRow.id) == search_id, col(SearchRow.created_at) >= since
        )
        rows = await fetch_rows(self.engine, statement)
        if not rows:
            raise SearchExpired("This search has expired; search again.")
        return search_of(rows[0])

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        surplus = select(col(SearchRow.id)).order_by(col(SearchRow.created_at).desc()).offset(keep)
        statement = delete(SearchRow).where(
            or_(col(SearchRow.created_at) < before, col(SearchRow.id).in_(surplus))
        )
        async with self.engine.begin() as connection:
            return (await connection.execute(statement)).rowcount
