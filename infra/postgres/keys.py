"""API keys on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from infra.postgres.repeatable import autocommitting
from infra.postgres.rows import key_of, key_row
from infra.postgres.tables import ApiKeyRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.keys import ApiKey


@dataclass(frozen=True, slots=True)
class PostgresKeys:
    """The table of API keys, which holds digests and no key."""

    engine: AsyncEngine

    async def add(self, key: ApiKey) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            session.add(key_row(key))

    async def find(self, sha256: str) -> ApiKey | None:
        statement = select(ApiKeyRow).where(col(ApiKeyRow.sha256) == sha256)
        # With a ping: each request with a key begins with this, and a frozen server is to refuse it
        # after the time of a ping, and not after that of a statement.
        async with autocommitting(self.engine).connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return key_of(row) if row else None

    async def list(self) -> Sequence[ApiKey]:
        statement = select(ApiKeyRow).order_by(col(ApiKeyRow.created_at), col(ApiKeyRow.id))
        async with AsyncSession(self.engine) as session:
            return [key_of(row) for row in await session.scalars(statement)]

    async def revoke(self, key_id: UUID, at: datetime) -> bool:
        statement = (
            update(ApiKeyRow)
            .where(col(ApiKeyRow.id) == key_id, col(ApiKeyRow.revoked_at).is_(None))
            .values(revoked_at=at)
        )
        async with self.engine.begin() as connection:
            return (await connection.execute(statement)).rowcount == 1
