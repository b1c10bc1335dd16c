"""What the database lacks, and how it is written down again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from infra.postgres.models.rows import IS_LIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncEngine

# A READY image is for every live model, one that is PROCESSING for one of them: the active one,
# if nobody has it yet. Work that was set aside counts as nobody's.
LACKING = f"""
    SELECT models.id AS model_id, images.id AS image_id FROM models JOIN images ON
        (status = 'ready' AND {IS_LIVE})
        OR (status = 'processing' AND state = 'active' AND NOT EXISTS (
            SELECT FROM work JOIN models AS others ON others.id = work.model_id
            WHERE work.image_id = images.id AND due_at < 'infinity' AND others.state <> 'retired'
        ))
    WHERE NOT EXISTS (
        SELECT FROM embeddings
        WHERE embeddings.image_id = images.id AND embeddings.model_id = models.id
        AND status = 'ready'
    ) AND NOT EXISTS (
        SELECT FROM work WHERE work.image_id = images.id AND work.model_id = models.id
        AND due_at < 'infinity'
    )
"""  # noqa: S608 - constants
UNEMBEDDED = text(f"SELECT DISTINCT image_id FROM ({LACKING}) AS lacking ORDER BY 1")  # noqa: S608 - constants
AGAIN = """
    ON CONFLICT (model_id, image_id) DO UPDATE
    SET due_at = now(), attempts = 0, lease = NULL WHERE work.due_at = 'infinity'
"""
CLOSE = text(f"INSERT INTO work (model_id, image_id) {LACKING} {AGAIN}")
REDO = text(f"""
    WITH again AS (
        UPDATE images SET status = 'processing'
        WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'ready' RETURNING id
    )
    INSERT INTO work (model_id, image_id)
    SELECT models.id, again.id FROM again JOIN models ON state = 'active' {AGAIN}
""")  # noqa: S608 - constants
FAIL = text("""
    WITH failed AS (
        UPDATE images SET status = 'failed', failure_reason = :reason
        WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING id
    ), forgotten AS (DELETE FROM embeddings WHERE image_id IN (SELECT id FROM failed))
    DELETE FROM work WHERE image_id IN (SELECT id FROM failed)
""")


@dataclass(frozen=True, slots=True)
class PostgresRepairQueue:
    """Images that nobody works on and that are not what they should be."""

    engine: AsyncEngine

    async def unembedded(self) -> Sequence[UUID]:
        """Return the images that some model lacks, and that nobody is going to give it."""
        async with self.engine.connect() as connection:
            return (await connection.execute(UNEMBEDDED)).scalars().all()

    async def enqueue_unembedded(self) -> int:
        """Write down work on all of these, and return how much that is."""
        return await self._change(CLOSE)

    async def reprocess(self, ids: Sequence[UUID]) -> int:
        """Have READY images made anew from their originals; they can be found meanwhile."""
        return await self._change(REDO, ids=list(ids))

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        """Let images have FAILED for this reason, and no embedding find them."""
        await self._change(FAIL, ids=list(ids), reason=reason)
        return len(ids)

    async def _change(self, statement: TextClause, **values: object) -> int:
        async with self.engine.begin() as connection:
            result: Any = await connection.execute(statement, values)
            return int(result.rowcount)
