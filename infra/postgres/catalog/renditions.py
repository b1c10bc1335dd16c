"""Which imported images have no LARGE yet, on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from domain.entities.images import ImageStatus
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow, image_of
from infra.postgres.repeatable import fetch_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image


@dataclass(frozen=True, slots=True)
class PostgresRenditions:
    """A column of the images, with a partial index."""

    engine: AsyncEngine

    async def without_large(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        statement = (
            select(ImageRow)
            .where(
                col(ImageRow.lacks_large),
                col(ImageRow.source).is_not(None),
                col(ImageRow.status) == ImageStatus.READY.value,
                IS_LIVE_IMAGE,
                col(ImageRow.id) > (after or UUID(int=0)),
            )
            .order_by(col(ImageRow.id))
            .limit(limit)
        )
        return [image_of(row) for row in await fetch_rows(self.engine, statement)]

    async def note_large(self, image_id: UUID) -> None:
        # An image in the trash, too: its files are kept.
        statement = update(ImageRow).where(col(ImageRow.id) == image_id).values(lacks_large=False)
        async with self.engine.begin() as connection:
            await connection.execute(statement)
