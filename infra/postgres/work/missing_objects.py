"""Missing objects on PostgreSQL: counts, images in the trash, and the end of the grace period."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.external_objects import ImportCounts
from infra.postgres.catalog.trash import move_in
from infra.postgres.conflicts import repeat_conflicts
from infra.postgres.images import ImageRow, image_of
from infra.postgres.work.identity import ARE_ALL_MISSING, HAS_NO_FILE, delete_image, take_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.external_objects import KeyRange

FORGET_BATCH_SIZE = 1_000
"""How many objects are deleted, or have their images moved into the trash, in one transaction."""

# Images that are in the trash as missing are missing images, as others whose files have vanished.
# What a user deleted is not among them.
COUNT_OBJECTS = text("""
    SELECT (
        SELECT count(*) FROM objects
        WHERE location >= :first AND location < :end AND id >= :since
        AND missing_since IS NULL AND error IS NULL
        AND (image_id <> id OR image_id IS NULL AND sha256 IS NOT NULL)
    ) AS recognised, (
        SELECT count(*) FROM objects JOIN images ON images.id = image_id
        WHERE location >= :first AND location < :end AND objects.id >= :since
        AND missing_since IS NULL AND error IS NULL AND image_id <> objects.id
        AND (images.source IS NULL OR EXISTS (
            SELECT FROM objects AS other
            WHERE other.image_id = images.id AND other.id <> objects.id
            AND other.missing_since IS NULL
        ))
    ) AS duplicates,
    count(DISTINCT image_id) FILTER (WHERE missing_since < 'infinity') AS missing,
    count(DISTINCT image_id) FILTER (WHERE missing_since = 'infinity') AS unlisted
    FROM objects JOIN images ON images.id = image_id
    WHERE location >= :first AND location < :end AND missing_since IS NOT NULL
    AND (deleted_at IS NULL OR is_missing)
""")
SELECT_SEPARATED = text(f"""
    SELECT DISTINCT images.id AS id, other.id AS other_id
    FROM objects JOIN images ON images.id = objects.image_id
    JOIN images AS other ON other.pixel_sha256 = images.pixel_sha256
    WHERE location >= :first AND location < :end AND missing_since IS NOT NULL
    AND images.status = 'ready' AND (images.deleted_at IS NULL OR images.is_missing)
    AND other.deleted_at IS NULL AND images.source IS NOT NULL AND {ARE_ALL_MISSING}
    AND other.id >= :since AND other.source IS NOT NULL
    AND other.alt_text IS NULL AND other.rating IS NULL
    ORDER BY images.id, other.id
""")  # noqa: S608 - a constant
# FOR UPDATE checks these conditions again once it has waited for another change of an image.
LOCK_SEPARATED = text("""
    SELECT id FROM images
    WHERE id IN (:id, :other_id) AND source IS NOT NULL
    AND (deleted_at IS NULL OR is_missing AND id <> :other_id)
    AND (id <> :other_id OR alt_text IS NULL AND rating IS NULL) ORDER BY id FOR UPDATE
""")
# An older object of a location may be in a folder that cannot be listed now.
ARE_MISSING_FOR_CERTAIN = f"""
    {ARE_ALL_MISSING} AND NOT EXISTS (
        SELECT FROM objects AS missing JOIN objects AS unlisted
            ON unlisted.location = missing.location AND unlisted.missing_since = 'infinity'
        WHERE missing.image_id = images.id
    )
"""
SELECT_MISSING = text(f"""
    SELECT location, images.id AS image_id FROM objects JOIN images ON images.id = image_id
    WHERE location >= :first AND location < :end AND missing_since < 'infinity'
    AND deleted_at IS NULL AND source IS NOT NULL AND {ARE_MISSING_FOR_CERTAIN}
    ORDER BY location LIMIT :limit
""")  # noqa: S608 - constants
# Every transaction locks in the order work, images, objects. The tasks are deleted only once it is
# certain which images are moved.
LOCK_TASKS_OF_IMAGES = text("""
    SELECT FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[])) ORDER BY model_id, image_id FOR UPDATE
""")
LOCK_MISSING = text("""
    SELECT id FROM images
    WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL AND source IS NOT NULL
    ORDER BY id FOR UPDATE
""")
SELECT_STILL_MISSING = text(f"""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND {ARE_MISSING_FOR_CERTAIN}
""")  # noqa: S608 - constants
# Of a live image only the objects of an uploaded one are forgotten: others are moved into the trash
# first. The objects of an image that a user deleted stay: they remember that it was deleted.
IS_EXPIRED = """
    missing_since <= now() - CAST(:grace_period AS interval) AND EXISTS (
        SELECT FROM images WHERE images.id = image_id AND (
            is_missing AND deleted_at <= now() - CAST(:grace_period AS interval)
            OR deleted_at IS NULL AND source IS NULL
        )
    )
"""
SELECT_EXPIRED = text(f"""
    SELECT id, image_id FROM objects
    WHERE location >= :first AND location < :end AND {IS_EXPIRED} AND NOT EXISTS (
        SELECT FROM objects AS unlisted
        WHERE unlisted.location = objects.location AND unlisted.missing_since = 'infinity'
    ) LIMIT :limit
""")  # noqa: S608 - constants
LOCK_IMAGES_TO_FORGET = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:image_ids AS uuid[])) ORDER BY id FOR UPDATE
""")
# A user may have deleted or restored an image before it was locked: it stays, with its objects.
FORGET_OBJECTS = text(f"""
    DELETE FROM objects WHERE id = ANY(CAST(:ids AS uuid[])) AND {IS_EXPIRED}
""")  # noqa: S608 - constants
FORGET_IMAGES = text("""
    DELETE FROM images WHERE id = ANY(CAST(:image_ids AS uuid[])) AND is_missing
    AND NOT EXISTS (SELECT FROM objects WHERE image_id = images.id)
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
        return ImportCounts(row.recognised, row.missing, row.unlisted, row.duplicates)

    async def reunite(self, key_range: KeyRange, *, since: UUID) -> Sequence[UUID]:
        where = {"first": key_range.first, "end": key_range.end, "since": since}
        return await repeat_conflicts(partial(self._reunite_all, where))

    async def trash(self, key_range: KeyRange, at: datetime) -> Sequence[UUID]:
        where = {"first": key_range.first, "end": key_range.end, "limit": FORGET_BATCH_SIZE}
        trashed: list[UUID] = []
        while True:
            last, moved = await repeat_conflicts(partial(self._trash_batch, where, at))
            trashed += moved
            if last is None:
                return trashed
            # What is moved, or has a file again, is not selected any more.
            where["first"] = last

    async def forget(self, key_range: KeyRange, *, grace_period: timedelta) -> Sequence[UUID]:
        where = {
            "first": key_range.first,
            "end": key_range.end,
            "grace_period": grace_period,
            "limit": FORGET_BATCH_SIZE,
        }
        forgotten: list[UUID] = []
        while (batch := await repeat_conflicts(partial(self._forget_batch, where))) is not None:
            forgotten += batch
        return forgotten

    async def _reunite_all(self, where: Mapping[str, object]) -> Sequence[UUID]:
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

    async def _trash_batch(
        self, where: Mapping[str, object], at: datetime
    ) -> tuple[str | None, Collection[UUID]]:
        """Return the last location that was looked at, None at the end, and what was moved."""
        async with self.engine.begin() as connection:
            missing = (await connection.execute(SELECT_MISSING, where)).all()
            if not missing:
                return None, ()
            ids = list({row.image_id for row in missing})
            return missing[-1].location, await _move_in(connection, ids, at)

    async def _forget_batch(self, where: Mapping[str, object]) -> Sequence[UUID] | None:
        """Return the images that were forgotten, and None where no object is left to forget."""
        async with self.engine.begin() as connection:
            expired = (await connection.execute(SELECT_EXPIRED, where)).all()
            if not expired:
                return None
            values = {
                "ids": [row.id for row in expired],
                "image_ids": list({row.image_id for row in expired}),
            }
            await connection.execute(LOCK_IMAGES_TO_FORGET, values)
            grace_period = {"grace_period": where["grace_period"]}
            await connection.execute(FORGET_OBJECTS, values | grace_period)
            return (await connection.scalars(FORGET_IMAGES, values)).all()


async def _move_in(
    connection: AsyncConnection, ids: Sequence[UUID], at: datetime
) -> Collection[UUID]:
    """Move those of the images into the trash as missing that are still missing once locked."""
    await connection.execute(LOCK_TASKS_OF_IMAGES, {"ids": ids})
    locked = (await connection.scalars(LOCK_MISSING, {"ids": ids})).all()
    missing = (await connection.scalars(SELECT_STILL_MISSING, {"ids": locked})).all()
    return await move_in(connection, missing, at, is_missing=True)


async def _reunite(connection: AsyncConnection, image_id: UUID, other_id: UUID) -> None:
    """Give a missing image the file of another one, and delete that."""
    is_other = col(ImageRow.id) == other_id
    async with AsyncSession(connection) as session:
        other = image_of((await session.scalars(select(ImageRow).where(is_other))).one())
    await take_file(connection, image_id, other, await delete_image(connection, other_id))
