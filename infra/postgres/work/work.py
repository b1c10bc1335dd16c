"""The work queue on PostgreSQL: tasks are rows of the table ``work``, which workers lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Uuid, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.images import ImageStatus
from domain.entities.work import MAX_ATTEMPTS, FoundObject, Task, WorkCounts
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow, image_of
from infra.postgres.parameters import array
from infra.postgres.rows import object_of
from infra.postgres.tables import ObjectRow
from infra.postgres.work.finishing import Finishing
from infra.postgres.work.identity import IS_KNOWN
from infra.postgres.work.leases import Leases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image
    from domain.entities.work import IndexedImage
    from infra.postgres.models.active import ActiveModel

WORKERS_STOPPED_REASON = (
    "The workers stopped again and again while they processed it; send it in another format."
)

# A task on a READY image stays in the table as a dead letter, due at infinity. Any other task is
# deleted, and its image or object has the reason, unless it was deleted in the meantime.
MOVE_TO_DEAD_LETTERS = text("""
    WITH held AS (
        SELECT image_id FROM work
        WHERE model_id = :model AND image_id = :id AND lease = :lease FOR UPDATE
    ), failed AS (
        UPDATE images SET status = 'failed', failure_reason = :error
        WHERE id IN (SELECT image_id FROM held) AND status = 'processing'
    ), refused AS (
        UPDATE objects SET error = :error
        WHERE id IN (SELECT image_id FROM held) AND image_id IS NULL
    ), ready AS (
        SELECT id FROM images WHERE id IN (SELECT image_id FROM held) AND status = 'ready'
    ), deleted AS (
        DELETE FROM work
        WHERE model_id = :model AND image_id IN (SELECT image_id FROM held EXCEPT TABLE ready)
    )
    UPDATE work SET due_at = 'infinity', lease = NULL, error = :error
    WHERE model_id = :model AND image_id IN (SELECT id FROM ready)
""")


@dataclass(frozen=True, slots=True)
class PostgresWorkQueue:
    """The tasks of one model, for any number of workers on any number of machines."""

    engine: AsyncEngine
    model: ActiveModel

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        lease, leased = await self._leases.acquire(limit, seconds=seconds)
        if not leased:
            return []
        subjects = await self._subjects([row.image_id for row in leased])
        tasks = []
        for row in leased:
            if subject := subjects.get(row.image_id):
                task = Task(subject, lease, row.attempts)
                if row.attempts <= MAX_ATTEMPTS:
                    tasks.append(task)
                else:
                    await self.fail(task, row.error or WORKERS_STOPPED_REASON)
        if deleted := [row.image_id for row in leased if row.image_id not in subjects]:
            async with self.engine.begin() as connection:
                await self._leases.delete(connection, deleted, [lease] * len(deleted))
        return tasks

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        await self._leases.extend(*_ids_and_leases(tasks), seconds=seconds)

    async def finish(self, done: Sequence[IndexedImage]) -> Sequence[UUID]:
        ids, leases = _ids_and_leases([each.task for each in done])
        async with self.engine.begin() as connection:
            held = await self._leases.delete(connection, ids, leases)
            return await Finishing(connection, self.model)(done, held)

    async def recognise(self, task: Task, sha256: str) -> bool:
        subject = task.subject
        assert isinstance(subject, FoundObject)  # noqa: S101 - the port's promise
        async with self.engine.begin() as connection:
            # Most bytes of an import are new: then this is the only statement.
            if not await connection.scalar(IS_KNOWN, {"sha256": sha256}):
                return False
            ids, leases = _ids_and_leases([task])
            if not await self._leases.delete(connection, ids, leases):
                return True
            is_known = await Finishing(connection, self.model).recognise(subject, sha256)
            if not is_known:
                await connection.rollback()
            return is_known

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        await self._leases.release(*_ids_and_leases(tasks), error=error, seconds=seconds)

    async def abandon(self, tasks: Sequence[Task]) -> None:
        await self._leases.abandon(*_ids_and_leases(tasks))

    async def fail(self, task: Task, reason: str) -> None:
        values = {"model": self.model.id, "id": task.image_id, "lease": task.lease, "error": reason}
        async with self.engine.begin() as connection:
            await connection.execute(MOVE_TO_DEAD_LETTERS, values)

    async def counts(self) -> WorkCounts:
        return WorkCounts(*await self._leases.count())

    @property
    def _leases(self) -> Leases:
        return Leases(self.engine, self.model.id)

    async def _subjects(self, ids: Sequence[UUID]) -> dict[UUID, Image | FoundObject]:
        """Return the subjects of tasks by id: images, and objects that have no image yet."""
        any_id = func.any(array(ids, Uuid()))
        images = select(ImageRow).where(
            col(ImageRow.id) == any_id,
            col(ImageRow.status) != ImageStatus.FAILED.value,
            IS_LIVE_IMAGE,
        )
        objects = select(ObjectRow).where(
            col(ObjectRow.id) == any_id, col(ObjectRow.image_id).is_(None)
        )
        async with AsyncSession(self.engine) as session:
            subjects: dict[UUID, Image | FoundObject] = {
                row.id: object_of(row) for row in await session.scalars(objects)
            }
            return subjects | {row.id: image_of(row) for row in await session.scalars(images)}


def _ids_and_leases(tasks: Sequence[Task]) -> tuple[list[UUID], list[UUID]]:
    return [task.image_id for task in tasks], [task.lease for task in tasks]
