"""When each original was last read, in columns of the table ``images``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, literal, select, tuple_, update
from sqlmodel import col

from domain.entities.faults import DueOriginal
from domain.entities.images import ImageStatus
from infra.postgres.engine import autocommit
from infra.postgres.images import ImageRow, image_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.faults import Fault
    from domain.entities.images import Image

LAST_READ = func.coalesce(col(ImageRow.original_read_at), col(ImageRow.created_at))
IS_CHECKED = and_(
    col(ImageRow.status) != ImageStatus.FAILED.value, col(ImageRow.is_missing).is_(False)
)


@dataclass(frozen=True, slots=True)
class PostgresScrubs:
    """Reads along the index ``images_by_read_at``."""

    engine: AsyncEngine

    async def due(
        self, before: datetime, *, after: DueOriginal | None = None, limit: int
    ) -> Sequence[DueOriginal]:
        statement = (
            select(ImageRow, LAST_READ)
            .where(before > LAST_READ, IS_CHECKED)
            .order_by(LAST_READ, col(ImageRow.id))
            .limit(limit)
        )
        if after:
            position = tuple_(literal(after.last_read_at, LAST_READ.type), after.image.id)
            statement = statement.where(tuple_(LAST_READ, col(ImageRow.id)) > position)
        async with autocommit(self.engine) as session:
            rows = await session.execute(statement)
            return [DueOriginal(image_of(row), last_read_at) for row, last_read_at in rows]

    async def faulty(self) -> Sequence[Image]:
        statement = (
            select(ImageRow)
            .where(col(ImageRow.original_fault).is_not(None), IS_CHECKED)
            .order_by(col(ImageRow.id))
        )
        async with autocommit(self.engine) as session:
            return [image_of(row) for row in await session.scalars(statement)]

    async def record(self, image_id: UUID, at: datetime, fault: Fault | None) -> None:
        statement = (
            update(ImageRow)
            .where(col(ImageRow.id) == image_id)
            .values(original_read_at=at, original_fault=fault and fault.value)
        )
        async with autocommit(self.engine) as session:
            await session.execute(statement)
