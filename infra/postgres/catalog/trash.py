"""The trash on PostgreSQL: rows of the table ``images`` with the time of their deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.postgres.images import ImageRow, image_of
from infra.postgres.models.rows import IS_LIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image

# Every transaction locks in the order work, images, objects, so that none deadlocks with another.
# An external object that waits for its image has tasks, too; they stay.
DELETE_TASKS_OF_IMAGES = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
    AND EXISTS (SELECT FROM images WHERE images.id = work.image_id)
""")
# FOR UPDATE, as a deletion does: it waits for a worker that stores an embedding, and the worker
# that comes next does not find the image any more.
LOCK_LIVE = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL
    ORDER BY id FOR UPDATE
""")
MARK_DELETED = text("""
    UPDATE images SET deleted_at = :at WHERE id = ANY(CAST(:ids AS uuid[]))
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
    UPDATE images SET deleted_at = NULL WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING images.*
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
DELETE_EXPIRED = text("""
    DELETE FROM images WHERE id IN (
        SELECT id FROM images WHERE deleted_at <= :before
        ORDER BY deleted_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class PostgresTrash:
    """Moves images into the trash and back, each call in one transaction."""

    engine: AsyncEngine

    async def add(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        async with self.engine.begin() as connection:
            await connection.execute(DELETE_TASKS_OF_IMAGES, {"ids": list(ids)})
            live = list(await connection.scalars(LOCK_LIVE, {"ids": list(ids)}))
            if live:
                await connection.execute(MARK_DELETED, {"ids": live, "at": at})
                for statement in (MOVE_EMBEDDINGS_OUT, *DELETE_PAIRS):
                    await connection.execute(statement, {"ids": live})
            return set(live)

    async def restore(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        async with AsyncSession(self.engine) as session, session.begin():
            deleted = list(await session.scalars(LOCK_DELETED, {"ids": list(ids)}))
            if not deleted:
                return {}
            values = {"ids": deleted}
            rows = await session.scalars(select(ImageRow).from_statement(UNMARK_DELETED), values)
            restored = {row.id: image_of(row) for row in rows}
            for statement in (MOVE_EMBEDDINGS_BACK, INSERT_TASKS_OF_RESTORED):
                await session.execute(statement, values)
            return restored

    async def delete_expired(self, before: datetime, *, limit: int) -> Sequence[UUID]:
        async with self.engine.begin() as connection:
            values = {"before": before, "limit": limit}
            return list(await connection.scalars(DELETE_EXPIRED, values))
