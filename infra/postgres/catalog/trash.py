"""The trash on PostgreSQL: rows of the table ``images`` with the time of their deletion.

An import moves images into it as missing, whose files have all vanished. They come back with a
file, and no expiry of the trash deletes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Uuid, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from infra.postgres.images import ImageRow, image_of
from infra.postgres.models.rows import IS_LIVE
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.images import Image

# Every transaction locks in the order work, images, objects, so that none deadlocks with another.
# An external object that waits for its image has tasks, too; they stay.
DELETE_TASKS_OF_IMAGES = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
    AND EXISTS (SELECT FROM images WHERE images.id = work.image_id)
""")
# FOR UPDATE, as a deletion does: it waits for a worker that stores an embedding, and the worker
# that comes next does not find the image any more. A user can also delete an image that is in the
# trash as missing: it does not come back then.
LOCK_TO_DELETE = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[]))
    AND (deleted_at IS NULL OR is_missing AND NOT CAST(:is_missing AS boolean))
    ORDER BY id FOR UPDATE
""")
MARK_DELETED = text("""
    UPDATE images SET deleted_at = :at, is_missing = :is_missing
    WHERE id = ANY(CAST(:ids AS uuid[]))
""")
MOVE_EMBEDDINGS_OUT = text("""
    WITH moved AS (
        DELETE FROM embeddings WHERE image_id = ANY(CAST(:ids AS uuid[]))
        RETURNING image_id, model_id, embedding
    )
    INSERT INTO deleted_embeddings (image_id, model_id, embedding)
    SELECT image_id, model_id, embedding FROM moved
    ON CONFLICT (image_id, model_id) DO UPDATE SET embedding = excluded.embedding
""")
# As the foreign keys do when a row is deleted: images that were compared through this one are
# compared again.
DELETE_PAIRS = (
    text("""
        DELETE FROM likenesses
        WHERE image_id = ANY(CAST(:ids AS uuid[])) OR other_id = ANY(CAST(:ids AS uuid[]))
    """),
    text("""
        DELETE FROM comparisons
        WHERE image_id = ANY(CAST(:ids AS uuid[])) OR through_id = ANY(CAST(:ids AS uuid[]))
        OR copy_of_id = ANY(CAST(:ids AS uuid[]))
    """),
)
LOCK_DELETED = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NOT NULL
    ORDER BY id FOR UPDATE
""")
UNMARK_DELETED = text("""
    UPDATE images SET deleted_at = NULL, is_missing = false WHERE id = ANY(CAST(:ids AS uuid[]))
""")
MARK_COPIED = text("""
    UPDATE images SET source = NULL, source_version = NULL WHERE id = ANY(CAST(:ids AS uuid[]))
""")
# An image that is not READY has lost its embeddings to a repair, or gets new ones. A
# model that was dropped has no partition any more.
MOVE_EMBEDDINGS_BACK = text("""
    WITH moved AS (
        DELETE FROM deleted_embeddings WHERE image_id = ANY(CAST(:ids AS uuid[]))
        RETURNING image_id, model_id, embedding
    )
    INSERT INTO embeddings (image_id, model_id, embedding)
    SELECT image_id, model_id, embedding FROM moved JOIN images ON images.id = image_id
    WHERE status = 'ready' AND to_regclass('embeddings_' || model_id) IS NOT NULL
    ON CONFLICT DO NOTHING
""")
# A READY image needs an embedding by every live model, some of which may be newer than its
# deletion. A PROCESSING image needs one task, of the active model.
INSERT_TASKS_OF_RESTORED = text(f"""
    INSERT INTO work (model_id, image_id)
    SELECT models.id, images.id FROM models JOIN images ON
        (status = 'ready' AND {IS_LIVE}) OR (status = 'processing' AND state = 'active')
    WHERE images.id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM embeddings WHERE image_id = images.id AND model_id = models.id
        AND status = 'ready'
    )
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - constants
# Only an import forgets missing images.
DELETE_EXPIRED = text("""
    DELETE FROM images WHERE id IN (
        SELECT id FROM images WHERE deleted_at <= :before AND NOT is_missing
        ORDER BY deleted_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id
""")


async def move_in(
    connection: AsyncConnection, ids: Sequence[UUID], at: datetime, *, is_missing: bool = False
) -> set[UUID]:
    """Move images into the trash with their embeddings, and return the ids that were moved.

    Their tasks and their pairs of duplicates are deleted.
    """
    await connection.execute(DELETE_TASKS_OF_IMAGES, {"ids": list(ids)})
    locked = await connection.scalars(LOCK_TO_DELETE, {"ids": list(ids), "is_missing": is_missing})
    values = {"ids": list(locked)}
    if values["ids"]:
        await connection.execute(MARK_DELETED, values | {"at": at, "is_missing": is_missing})
        for statement in (MOVE_EMBEDDINGS_OUT, *DELETE_PAIRS):
            await connection.execute(statement, values)
    return set(values["ids"])


async def move_out(connection: AsyncConnection, ids: Sequence[UUID]) -> None:
    """Move images out of the trash with their embeddings, and add the tasks that they lack.

    The caller has locked the images.
    """
    for statement in (UNMARK_DELETED, MOVE_EMBEDDINGS_BACK, INSERT_TASKS_OF_RESTORED):
        await connection.execute(statement, {"ids": list(ids)})


@dataclass(frozen=True, slots=True)
class PostgresTrash:
    """Moves images into the trash and back, each call in one transaction."""

    engine: AsyncEngine

    async def add(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        async with self.engine.begin() as connection:
            return await move_in(connection, ids, at)

    async def restore(self, ids: Sequence[UUID], *, are_copied: bool = False) -> dict[UUID, Image]:
        async with self.engine.begin() as connection:
            deleted = list(await connection.scalars(LOCK_DELETED, {"ids": list(ids)}))
            if not deleted:
                return {}
            if are_copied:
                await connection.execute(MARK_COPIED, {"ids": deleted})
            await move_out(connection, deleted)
            is_restored = col(ImageRow.id) == func.any(array(deleted, Uuid()))
            async with AsyncSession(connection) as session:
                rows = await session.scalars(select(ImageRow).where(is_restored))
                return {row.id: image_of(row) for row in rows}

    async def delete_expired(self, before: datetime, *, limit: int) -> Sequence[UUID]:
        async with self.engine.begin() as connection:
            values = {"before": before, "limit": limit}
            return list(await connection.scalars(DELETE_EXPIRED, values))
