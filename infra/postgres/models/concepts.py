"""Encoded concepts on PostgreSQL, one set per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from infra.postgres.tables import ConceptsRow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.postgres.models.active import ActiveModel


@dataclass(frozen=True, slots=True)
class PostgresConcepts:
    """The encoded concepts of one model."""

    engine: AsyncEngine
    model: ActiveModel

    async def find(self, sha256: str) -> bytes | None:
        statement = select(col(ConceptsRow.embeddings)).where(
            col(ConceptsRow.model_id) == self.model.id, col(ConceptsRow.sha256) == sha256
        )
        async with AsyncSession(self.engine) as session:
            embeddings: bytes | None = await session.scalar(statement)
        return embeddings

    async def keep(self, sha256: str, embeddings: bytes) -> None:
        row = {"model_id": self.model.id, "sha256": sha256, "embeddings": embeddings}
        statement = insert(ConceptsRow).values(row)
        async with self.engine.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["model_id"], set_=row)
            )
