"""Missing objects on PostgreSQL: counts, and the end of their grace period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.entities.external_objects import ImportCounts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

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
FORGET_OBJECTS = text("""
    DELETE FROM objects
    WHERE id = ANY(CAST(:ids AS uuid[]))
    AND missing_since <= now() - CAST(:grace_period AS interval)
""")
FORGET_IMAGES = text("""
    DELETE FROM images WHERE id = ANY(CAST(:image_ids AS uuid[])) AND source IS NOT NULL
    AND NOT EXISTS (SELECT FROM objects WHERE image_id = images.id) RETURNING id
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
