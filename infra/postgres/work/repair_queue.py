"""The repair queue on PostgreSQL: finds images that lack an embedding and a task for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from domain.entities.faults import Fault
from domain.entities.work import MAX_ATTEMPTS
from infra.postgres.models.rows import IS_LIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncEngine

# A READY image needs an embedding by every live model. A PROCESSING image needs a task of one live
# model, and gets one of the active model where it has none. A dead letter does not count as a task.
MISSING_EMBEDDINGS = f"""
    SELECT models.id AS model_id, images.id AS image_id FROM models JOIN images ON
        (status = 'ready' AND {IS_LIVE})
        OR (status = 'processing' AND state = 'active' AND NOT EXISTS (
            SELECT FROM work JOIN models AS others ON others.id = work.model_id
            WHERE work.image_id = images.id AND due_at < 'infinity' AND others.state <> 'retired'
        ))
    WHERE images.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM embeddings
        WHERE embeddings.image_id = images.id AND embeddings.model_id = models.id
        AND status = 'ready'
    ) AND NOT EXISTS (
        SELECT FROM work WHERE work.image_id = images.id AND work.model_id = models.id
        AND due_at < 'infinity'
    )
"""  # noqa: S608 - constants
SELECT_UNEMBEDDED = text(f"""
    SELECT DISTINCT image_id FROM ({MISSING_EMBEDDINGS}) AS missing ORDER BY 1
""")  # noqa: S608 - constants
ON_CONFLICT_RETRY = """
    ON CONFLICT (model_id, image_id) DO UPDATE
    SET due_at = now(), attempts = 0, lease = NULL WHERE work.due_at = 'infinity'
"""
# An index by ready_at finds the images that never were READY.
INSERT_TASKS_OF_PROCESSING = text(f"""
    INSERT INTO work (model_id, image_id)
    SELECT models.id, images.id FROM models JOIN images ON state = 'active'
    WHERE ready_at IS NULL AND status = 'processing' AND deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM work WHERE image_id = images.id AND model_id = models.id
        AND due_at < 'infinity'
    )
    {ON_CONFLICT_RETRY}
""")  # noqa: S608 - constants
DELETE_DEAD_LETTERS_OF_DELETED = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models)) AND due_at = 'infinity'
    AND NOT EXISTS (SELECT FROM images WHERE id = image_id)
    AND NOT EXISTS (SELECT FROM objects WHERE id = work.image_id AND objects.image_id IS NULL)
""")
INSERT_MISSING_TASKS = text(
    f"INSERT INTO work (model_id, image_id) {MISSING_EMBEDDINGS} {ON_CONFLICT_RETRY}"
)
# A worker that holds a lease on the image as READY loses it: its result would not end the task.
REPROCESS_IMAGES = text("""
    WITH reprocessed AS (
        UPDATE images SET status = 'processing'
        WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'ready' AND deleted_at IS NULL
        RETURNING id
    )
    INSERT INTO work (model_id, image_id)
    SELECT models.id, reprocessed.id FROM reprocessed JOIN models ON state = 'active'
    ON CONFLICT (model_id, image_id) DO UPDATE SET due_at = now(), attempts = 0, lease = NULL
""")
DELETE_TASKS_OF_FAILED = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
""")
LOCK_FAILED = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
""")
# Locked in the order of every transaction: work, images. Each statement after LOCK_FAILED has a new
# snapshot: it sees the embeddings and tasks of a restore that held the images until then.
FAIL_IMAGES = (
    DELETE_TASKS_OF_FAILED,
    LOCK_FAILED,
    text("""
        UPDATE images SET status = 'failed', failure_reason = :reason
        WHERE id = ANY(CAST(:ids AS uuid[]))
    """),
    text("DELETE FROM embeddings WHERE image_id = ANY(CAST(:ids AS uuid[]))"),
    text("DELETE FROM deleted_embeddings WHERE image_id = ANY(CAST(:ids AS uuid[]))"),
    DELETE_TASKS_OF_FAILED,
)


# Index scans are not trusted: a damaged unique index is what lets two rows have the same bytes.
SELECT_SAME_BYTES = """
    SELECT unnest(array_agg(id)) FROM (SELECT id, sha256 || '' AS sha256 FROM images) AS each
    GROUP BY sha256 HAVING count(*) > 1
"""
SELECT_WRONGLY_FINDABLE = """
    SELECT DISTINCT image_id FROM embeddings LEFT JOIN images ON images.id = image_id
    WHERE images.id IS NULL OR deleted_at IS NOT NULL OR status = 'failed'
"""
# A task is leased once more to become a dead letter. No lease or backoff lasts a day.
SELECT_UNBOUNDED = """
    SELECT DISTINCT image_id FROM work WHERE due_at < 'infinity'
    AND (attempts > :max_attempts + 1 OR due_at > now() + interval '1 day')
"""


@dataclass(frozen=True, slots=True)
class PostgresRepairQueue:
    """Adds missing tasks and changes the status of images, each call in one transaction."""

    engine: AsyncEngine

    async def unembedded(self) -> Sequence[UUID]:
        async with self.engine.connect() as connection:
            return (await connection.execute(SELECT_UNEMBEDDED)).scalars().all()

    async def enqueue_unembedded(self) -> int:
        return await self._change(INSERT_MISSING_TASKS)

    async def reprocess(self, ids: Sequence[UUID]) -> int:
        return await self._change(REPROCESS_IMAGES, ids=list(ids))

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        async with self.engine.begin() as connection:
            for statement in FAIL_IMAGES:
                await connection.execute(statement, {"ids": list(ids), "reason": reason})
        return len(ids)

    async def restore_tasks(self) -> int:
        await self._change(DELETE_DEAD_LETTERS_OF_DELETED)
        return await self._change(INSERT_TASKS_OF_PROCESSING)

    async def violations(self) -> Mapping[Fault, Sequence[UUID]]:
        found: dict[Fault, Sequence[UUID]] = {}
        async with self.engine.connect() as connection:
            for fault, statement in (
                (Fault.SAME_BYTES, text(SELECT_SAME_BYTES)),
                (Fault.WRONGLY_FINDABLE, text(SELECT_WRONGLY_FINDABLE)),
                (Fault.UNBOUNDED, text(SELECT_UNBOUNDED).bindparams(max_attempts=MAX_ATTEMPTS)),
            ):
                if ids := list(await connection.scalars(statement)):
                    found[fault] = ids
        return found

    async def _change(self, statement: TextClause, **values: object) -> int:
        async with self.engine.begin() as connection:
            result: Any = await connection.execute(statement, values)
            return int(result.rowcount)
