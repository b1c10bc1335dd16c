"""Statements on the tasks of models: what they lack, and what they hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

ENQUEUE_MISSING = text("""
    INSERT INTO work (model_id, image_id)
    SELECT CAST(:model AS integer), id FROM images
    WHERE status = 'ready' AND deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM embeddings WHERE image_id = id AND model_id = :model)
    ON CONFLICT DO NOTHING
""")
COUNT_MISSING = text("""
    SELECT count(*) FILTER (WHERE due_at = 'infinity') AS failed,
        count(*) FILTER (WHERE COALESCE(due_at, '-infinity') < 'infinity'
            AND ready_at < now() - :seconds * interval '1 second') AS waiting
    FROM images LEFT JOIN work ON image_id = id AND model_id = :model
    WHERE status = 'ready' AND deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM embeddings WHERE image_id = id AND model_id = :model)
""")
HAS_WAITING = text("""
    SELECT EXISTS (
        SELECT FROM work JOIN images ON images.id = image_id
        WHERE model_id = :model AND due_at < 'infinity' AND deleted_at IS NULL
        AND ready_at <= now() - :seconds * interval '1 second'
    )
""")
# Tasks on READY images stay behind: each live model has its own.
COPY_TASKS = text("""
    INSERT INTO work (model_id, image_id, due_at, error)
    SELECT CAST(:new AS integer), image_id,
        CASE due_at WHEN 'infinity' THEN due_at ELSE now() END, error
    FROM work
    WHERE model_id = :old
    AND NOT EXISTS (SELECT FROM images WHERE id = image_id AND status <> 'processing')
    ON CONFLICT DO NOTHING
""")
DELETE_TASKS = text("DELETE FROM work WHERE model_id = :old")


async def reassign_tasks(session: AsyncSession, old_id: int, new_id: int) -> None:
    """Move the tasks on what is not READY yet to another model, and delete the other tasks."""
    await session.execute(COPY_TASKS, {"old": old_id, "new": new_id})
    await session.execute(DELETE_TASKS, {"old": old_id})
