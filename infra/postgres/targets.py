"""Upload targets on PostgreSQL."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.upload_targets import UploadTarget
from infra.postgres.images import ImageRow
from infra.postgres.tables import UploadTargetRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

# FOR KEY SHARE, as foreign keys do: the image cannot be deleted before the target refers to it.
LOCKED_IMAGE_ID = (
    select(col(ImageRow.id))
    .where(col(ImageRow.id) == bindparam("image_id"))
    .with_for_update(read=True, key_share=True)
    .scalar_subquery()
)
SET_TARGET_IMAGE = text("""
    WITH image AS (SELECT id FROM images WHERE id = :image_id FOR KEY SHARE)
    UPDATE upload_targets SET image_id = image.id, is_duplicate = :is_duplicate FROM image
    WHERE upload_targets.id = :target_id AND upload_targets.image_id IS NULL
""")


@dataclass(frozen=True, slots=True)
class PostgresUploadTargets:
    """The table of upload targets."""

    engine: AsyncEngine

    async def save(self, targets: Sequence[UploadTarget]) -> None:
        if targets:
            table = UploadTargetRow.metadata.tables["upload_targets"]
            async with self.engine.begin() as connection:
                await connection.execute(
                    insert(table).values(image_id=LOCKED_IMAGE_ID),
                    [asdict(target) for target in targets],
                )

    async def find(self, target_id: UUID) -> UploadTarget | None:
        async with AsyncSession(self.engine) as session:
            row = await session.get(UploadTargetRow, target_id)
        return UploadTarget(**row.model_dump()) if row else None

    async def complete(self, target_id: UUID, image_id: UUID, *, is_duplicate: bool) -> None:
        values = {"target_id": target_id, "image_id": image_id, "is_duplicate": is_duplicate}
        async with self.engine.begin() as connection:
            await connection.execute(SET_TARGET_IMAGE, values)

    async def delete_expired(self, expired_by: datetime) -> list[UUID]:
        statement = (
            delete(UploadTargetRow)
            .where(col(UploadTargetRow.expires_at) <= expired_by)
            .returning(col(UploadTargetRow.id))
        )
        async with self.engine.begin() as connection:
            return list(await connection.scalars(statement))
