"""One change of the models, in a transaction under the advisory lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, select, text, update
from sqlmodel import col

from domain.entities.models import MissingEmbeddings
from infra.postgres.models.partitions import (
    create_index,
    create_partition,
    index_name,
    partition_name,
)
from infra.postgres.models.rows import insert_model, stored_model, stored_models
from infra.postgres.models.tasks import COUNT_MISSING, ENQUEUE_MISSING, reassign_tasks
from infra.postgres.tables import EmbeddingRow, ModelRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import StoredModel

# Searches queue behind a lock on tables that waits, so it gives up soon and is retried.
SET_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '300ms'")

DELETE_DERIVED = tuple(
    text(f"DELETE FROM {table} WHERE model_id = :model")  # noqa: S608 - of constants alone
    for table in ("likenesses", "comparisons", "concepts", "scan_tables", "deleted_embeddings")
)
DELETE_FROM_TRASH = text("DELETE FROM deleted_embeddings WHERE model_id = :model")
DELETE_SEARCHES = text("DELETE FROM searches WHERE model = :name")


@dataclass(frozen=True, slots=True)
class PostgresModelTransaction:
    """The statements of a change. The caller holds the lock and commits."""

    session: AsyncSession

    async def list(self) -> Sequence[StoredModel]:
        return await stored_models(self.session)

    async def register(self, model: EmbeddingModel, source: str) -> StoredModel:
        row = await insert_model(self.session, model)
        row.source = source
        await self.session.flush()
        return stored_model(row)

    async def save(self, model: StoredModel) -> None:
        await self.session.execute(
            update(ModelRow)
            .where(col(ModelRow.id) == model.id)
            .values(state=model.state.value, activated_at=model.activated_at)
        )

    async def missing(self, model_id: int, *, ready_for: timedelta) -> MissingEmbeddings:
        values = {"model": model_id, "seconds": ready_for.total_seconds()}
        counts = (await self.session.execute(COUNT_MISSING, values)).one()
        return MissingEmbeddings(waiting=counts.waiting, failed=counts.failed)

    async def enqueue_missing(self, model_id: int) -> None:
        await self.session.execute(ENQUEUE_MISSING, {"model": model_id})

    async def reassign(self, old_id: int, new_id: int) -> None:
        await reassign_tasks(self.session, old_id, new_id)

    async def has_embeddings(self, model_id: int) -> bool:
        embeddings = select(exists().where(col(EmbeddingRow.model_id) == model_id))
        return bool(await self.session.scalar(embeddings))

    async def create_embeddings(self, model: StoredModel, *, with_index: bool = False) -> None:
        await self.session.execute(SET_LOCK_TIMEOUT)
        await create_partition(self.session, model.id, model.dimensions)
        # To update an index with each image takes longer than to build it once at the end.
        await self.session.execute(text(f"DROP INDEX IF EXISTS {index_name(model.id)}"))
        if with_index:
            await self.session.execute(text(create_index(model.id, model.dimensions)))

    async def delete_embeddings(self, model: StoredModel) -> None:
        for statement in (*DELETE_DERIVED, DELETE_SEARCHES):
            await self.session.execute(statement, {"model": model.id, "name": model.name})
        await self.session.execute(SET_LOCK_TIMEOUT)
        await self.session.execute(text(f"DROP TABLE IF EXISTS {partition_name(model.id)}"))
        # DROP TABLE has waited for everyone who was moving embeddings into the trash.
        await self.session.execute(DELETE_FROM_TRASH, {"model": model.id})
