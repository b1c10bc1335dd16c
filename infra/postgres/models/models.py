"""The stored models of a library on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.models import KnownModel, ModelState
from infra.postgres.models.partitions import index_name
from infra.postgres.models.rows import stored_models
from infra.postgres.models.status import model_statuses
from infra.postgres.tables import EmbeddingRow, ModelRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.models import ModelStatus, StoredModel


SELECT_BUILT_INDEXES = text("""
    SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relname LIKE 'embeddings\\_%\\_hnsw' AND indisvalid AND pg_table_is_visible(indexrelid)
""")


@dataclass(frozen=True, slots=True)
class PostgresModels:
    """The models that a library stores, with their progress."""

    engine: AsyncEngine

    async def list(self) -> Sequence[StoredModel]:
        async with AsyncSession(self.engine) as session:
            return await stored_models(session)

    async def unindexed(self) -> Sequence[StoredModel]:
        async with AsyncSession(self.engine) as session:
            live = [model for model in await stored_models(session) if model.is_live]
            built = set(await session.scalars(SELECT_BUILT_INDEXES))
        return [model for model in live if index_name(model.id) not in built]

    async def known(self) -> Sequence[KnownModel]:
        embedded_count = (
            select(func.count())
            .where(col(EmbeddingRow.model_id) == col(ModelRow.id))
            .correlate(ModelRow)
            .scalar_subquery()
        )
        statement = select(ModelRow, embedded_count).order_by(col(ModelRow.id))
        async with AsyncSession(self.engine) as session:
            return [
                KnownModel(row.name, row.dimensions, ModelState(row.state), count)
                for row, count in await session.execute(statement)
            ]

    async def statuses(self) -> Sequence[ModelStatus]:
        return await model_statuses(self.engine)
