"""Missing objects on PostgreSQL: counts, and the end of their grace period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.external_objects import ImportCounts
from infra.postgres.images import ImageRow, image_of
from infra.postgres.work.identity import ARE_ALL_MISSING, HAS_NO_FILE, delete_image, take_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.external_objects import KeyRange

FORGET_BATCH_SIZE = 1_000
"""How many objects are deleted in one transaction."""

COUNT_OBJECTS = text("""
    SELECT (
        SELECT count(*) FROM objects
        WHERE location >= :first AND location < :end AND id >= :since
        AND missing_since IS NULL AND error IS NULL
        AND (image_id <> id OR image_id IS NULL AND sha256 IS NOT NULL)
    ) AS recognised,
    count(DISTINCT image_id) FILTER (WHERE missing_since < 'infinity') AS missing,
    count(DISTINCT image_id) FILTER (WHERE missing_since = 'infinity') AS unlisted
    FROM objects
    WHERE location >= :first AND location < :end AND missing_since IS NOT NULL
""")
SELECT_SEPARATED = text(f"""
    SELECT DISTINCT images.id AS id, other.id AS other_id
    FROM objects JOIN images ON images.id = objects.image_id
    JOIN images AS other ON other.pixel_sha256 = images.pixel_sha256
    WHERE location >= :first AND location < :end AND missing_since IS NOT NULL
    AND images.status = 'ready' AND images.deleted_at IS NULL AND other.deleted_at IS NULL
    AND images.source IS NOT NULL AND {ARE_ALL_MISSING}
    AND other.id >= :since AND other.source IS NOT NULL
    AND other.alt_text IS NULL AND other.rating IS NULL
    ORDER BY images.id, other.id
""")  # noqa: S608 - a constant
# FOR UPDATE checks these conditions again once it has waited for another change of an image.
LOCK_SEPARATED = text("""
    SELECT id FROM images
    WHERE id IN (:id, :other_id) AND deleted_at IS NULL AND source IS NOT NULL
    AND (id <> :other_id OR alt_text IS NULL AND rating IS NULL) ORDER BY id FOR UPDATE
""")
# An older object of a location may be in a folder that cannot be listed now. The objects of an
# image in the trash stay: they remember that it was deleted.
SELECT_EXPIRED = text("""
    SELECT id, image_id FROM objects
    WHERE location >= :first AND location < :end
    AND missing_since <= now() - CAST(:grace_period AS interval)
    AND image_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM objects AS unlisted
        WHERE unlisted.location = objects.location AND unlisted.missing_since = 'infinity'
    ) AND NOT EXISTS (
        SELECT FROM images WHERE images.id = image_id AND deleted_at IS NOT NULL
    ) LIMIT :limit
""")
LOCK_IMAGES_TO_FORGET = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:image_ids AS uuid[])) ORDER BY id FOR UPDATE
""")
# An image may have been moved into the trash before it was locked: it stays, with its objects.
FORGET_OBJECTS = text("""
    DELETE FROM objects
    WHERE id = ANY(CAST(:ids AS uuid[]))
    AND missing_since <= now() - CAST(:grace_period AS interval)
    AND NOT EXISTS (SELECT FROM images WHERE images.id = image_id AND deleted_at IS NOT NULL)
""")
FORGET_IMAGES = text("""
    DELETE FROM images WHERE id = ANY(CAST(:image_ids AS uuid[])) AND source IS NOT NULL
    AND deleted_at IS NULL AND NOT EXISTS (SELECT FROM objects WHERE image_id = images.id)
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class PostgresMissingObjects:
    """Objects that the last import of their place did not find."""

    engine: AsyncEngine

    async def count(self, key_range: KeyRange, *, since: UUID) -> ImportCounts:
        where = {"first": key_range.first, "end": key_range.end, "since": since}
        async with self.engine.connect() as connection:
            row = (await connection.execute(COUNT_OBJECTS, where)).one()
        return ImportCounts(row.recognised, row.missing, row.unlisted)

    async def reunite(self, key_range: KeyRange, *, since: UUID) -> Sequence[UUID]:
        where = {"first": key_range.first, "end": key_range.end, "since": since}
        reunited: list[UUID] = []
        async with self.engine.begin() as connection:
            for row in (await connection.execute(SELECT_SEPARATED, where)).all():
                pair = {"id": row.id, "other_id": row.other_id}
                locked = (await connection.scalars(LOCK_SEPARATED, pair)).all()
                # Each image is reunited once, and only if neither was deleted meanwhile.
                is_missing = await connection.scalar(HAS_NO_FILE, {"id": row.id})
                if len(locked) == len(pair) and is_missing:
                    await _reunite(connection, row.id, row.other_id)
                    reunited.append(row.other_id)
        return reunited

    async def forget(self, key_range: KeyRange, *, grace_period: timedelta) -> Sequence[UUID]:
        where = {
            "first": key_range.first,
            "end": key_range.end,
            "grace_period": grace_period,
            "limit": FORGET_BATCH_SIZE,
        }
        forgotten: list[UUID] = []
        while True:
            async with self.engine.begin() as connection:
                expired = (await connection.execute(SELECT_EXPIRED, where)).all()
                if not expired:
                    return forgotten
                values = {
                    "ids": [row.id for row in expired],
                    "image_ids": list({row.image_id for row in expired}),
                }
                await connection.execute(LOCK_IMAGES_TO_FORGET, values)
                await connection.execute(FORGET_OBJECTS, values | {"grace_period": grace_period})
                forgotten += await connection.scalars(FORGET_IMAGES, values)


async def _reunite(connection: AsyncConnection, image_id: UUID, other_id: UUID) -> None:
    """Give a missing image the file of another one, and delete that."""
    is_other = col(ImageRow.id) == other_id
    async with AsyncSession(connection) as session:
        other = image_of((await session.scalars(select(ImageRow).where(is_other))).one())
    await take_file(connection, image_id, other, await delete_image(connection, other_id))
