"""Kept searches on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import random
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.embeddings import Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.searches import KeptSearch
from domain.errors import SearchExpired
from infra.postgres.rows import search_of, search_row
from infra.postgres.tables import SearchRow

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

PROBE_NUMBERS = 2_000
"""The size of a search that checks whether searches can be saved: 16 kB."""


@dataclass(frozen=True, slots=True)
class PostgresKeptSearches:
    """Searches in an unlogged table: saving one does not wait for the disk."""

    engine: AsyncEngine

    async def save(self, search: KeptSearch) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            session.add(search_row(search))

    async def check(self) -> None:
        """Raise Unavailable unless a search can be saved: save one, and roll it back."""
        # Random numbers, which are not compressed: the row takes new pages on the disk.
        numbers = [random() for _ in range(PROBE_NUMBERS)]  # noqa: S311 - no secret
        now = datetime.now(UTC)
        probe = KeptSearch(
            uuid7(), now, "", Query(numbers, QueryKind.TEXT), "", "", hits=(), exact=True
        )
        async with AsyncSession(self.engine) as session:
            session.add(search_row(probe))
            await session.flush()
            await session.rollback()

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        statement = select(SearchRow).where(
            col(SearchRow.id) == search_id, col(SearchRow.created_at) >= since
        )
        async with AsyncSession(self.engine) as session:
            row = await session.scalar(statement)
        if row is None:
            raise SearchExpired("This search has expired; search again.")
        return search_of(row)

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        surplus = select(col(SearchRow.id)).order_by(col(SearchRow.created_at).desc()).offset(keep)
        statement = delete(SearchRow).where(
            or_(col(SearchRow.created_at) < before, col(SearchRow.id).in_(surplus))
        )
        async with self.engine.begin() as connection:
            return (await connection.execute(statement)).rowcount
