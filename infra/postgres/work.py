"""Work on PostgreSQL: leased in chunks that skip what others hold, finished in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Uuid, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.images import ImageStatus
from domain.work import ATTEMPTS, FoundObject, Task, WorkCounts
from infra.postgres.filters import array
from infra.postgres.finishing import Finishing
from infra.postgres.rows import image_of, object_of
from infra.postgres.tables import ImageRow, ObjectRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.images import Image
    from domain.work import Indexed
    from infra.postgres.models import ActiveModel

DIED = (
    "Its workers stopped before they were done with it, again and again; send it in another form."
)

# Rows that another worker is about to take are passed over, so that nobody waits for anybody.
LEASE = text("""
    WITH free AS MATERIALIZED (
        SELECT image_id FROM work WHERE model_id = :model AND due_at <= now()
        ORDER BY due_at, image_id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE work SET lease = :lease, attempts = attempts + 1,
        due_at = now() + :seconds * interval '1 second'
    WHERE model_id = :model AND image_id = ANY(ARRAY(SELECT image_id FROM free))
    RETURNING image_id, attempts, error
""")
# Of constants alone.
HELD = """
    model_id = :model AND (image_id, lease) IN (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[]))
    )
"""
EXTEND = text(f"UPDATE work SET due_at = now() + :seconds * interval '1 second' WHERE {HELD}")  # noqa: S608
RELEASE = text(f"""
    UPDATE work SET due_at = now() + :seconds * interval '1 second', lease = NULL, error = :error
    WHERE {HELD}
""")  # noqa: S608
FORGET = text("DELETE FROM work WHERE model_id = :model AND image_id = ANY(CAST(:ids AS uuid[]))")
# What a READY image lacks stays written down, out of everybody's reach. What never became an image
# keeps its reason itself.
SET_ASIDE = text(f"""
    WITH held AS (SELECT image_id FROM work WHERE {HELD} FOR UPDATE),
    failed AS (
        UPDATE images SET status = 'failed', failure_reason = :error
        WHERE id IN (SELECT image_id FROM held) AND status = 'processing' RETURNING id
    ),
    refused AS (
        UPDATE objects SET error = :error
        WHERE id IN (SELECT image_id FROM held) AND image_id IS NULL RETURNING id
    ),
    forgotten AS (
        DELETE FROM work WHERE model_id = :model
        AND image_id IN (SELECT id FROM failed UNION SELECT id FROM refused)
    )
    UPDATE work SET due_at = 'infinity', lease = NULL, error = :error WHERE model_id = :model
    AND image_id IN (
        SELECT image_id FROM held
        EXCEPT (SELECT id FROM failed UNION SELECT id FROM refused)
    )
""")  # noqa: S608
COUNTS = text("""
    SELECT count(*) FILTER (WHERE due_at < 'infinity' AND (lease IS NULL OR due_at <= now())),
        count(*) FILTER (WHERE due_at < 'infinity' AND lease IS NOT NULL AND due_at > now()),
        count(*) FILTER (WHERE due_at = 'infinity')
    FROM work WHERE model_id = :model
""")


@dataclass(frozen=True, slots=True)
class PostgresWork:
    """What a model has not embedded yet, for any number of workers on any number of machines."""

    engine: AsyncEngine
    model: ActiveModel

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        """Take up to ``limit`` tasks that nobody else has, those on new pictures first."""
        lease = uuid4()
        async with self.engine.begin() as connection:
            taken = (
                await self._run(connection, LEASE, limit=limit, lease=lease, seconds=seconds)
            ).all()
        if not taken:
            return []
        subjects = await self._subjects([row.image_id for row in taken])
        tasks = []
        for row in taken:
            if subject := subjects.get(row.image_id):
                task = Task(subject, lease, row.attempts)
                if row.attempts <= ATTEMPTS:
                    tasks.append(task)
                else:
                    await self.set_aside(task, row.error or DIED)
        if gone := [row.image_id for row in taken if row.image_id not in subjects]:
            async with self.engine.begin() as connection:
                await self._run(connection, FORGET, ids=gone)
        return tasks

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        """Keep tasks for so much longer from now on."""
        await self._change(EXTEND, tasks, seconds=seconds)

    async def finish(self, done: Sequence[Indexed]) -> Sequence[UUID]:
        """Keep what was made, all or none, and return the ids that became no image."""
        async with self.engine.begin() as connection:
            return await Finishing(connection, self.model)(done)

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        """Let others take them again, but not before so many seconds have passed."""
        await self._change(RELEASE, tasks, error=error, seconds=seconds)

    async def set_aside(self, task: Task, reason: str) -> None:
        """Give a task up, for this reason."""
        await self._change(SET_ASIDE, [task], error=reason)

    async def counts(self) -> WorkCounts:
        """Say how much there is."""
        async with self.engine.connect() as connection:
            return WorkCounts(*(await self._run(connection, COUNTS)).one())

    async def _subjects(self, ids: Sequence[UUID]) -> dict[UUID, Image | FoundObject]:
        """Return what the work is on: images, and objects that are none yet."""
        some = func.any(array(ids, Uuid()))
        images = select(ImageRow).where(
            col(ImageRow.id) == some, col(ImageRow.status) != ImageStatus.FAILED.value
        )
        objects = select(ObjectRow).where(
            col(ObjectRow.id) == some, col(ObjectRow.image_id).is_(None)
        )
        async with AsyncSession(self.engine) as session:
            found = {row.id: object_of(row) for row in await session.scalars(objects)}
            return found | {row.id: image_of(row) for row in await session.scalars(images)}

    async def _change(self, statement: Any, tasks: Sequence[Task], **values: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        ids, leases = [task.image_id for task in tasks], [task.lease for task in tasks]
        async with self.engine.begin() as connection:
            await self._run(connection, statement, ids=ids, leases=leases, **values)

    async def _run(self, connection: AsyncConnection, statement: Any, **values: object) -> Any:  # noqa: ANN401 - SQLAlchemy's
        return await connection.execute(statement, {"model": self.model.id} | values)
