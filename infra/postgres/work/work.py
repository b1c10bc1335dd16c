"""Work on PostgreSQL: what is leased, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Uuid, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.images import ImageStatus
from domain.entities.work import ATTEMPTS, FoundObject, Task, WorkCounts
from infra.postgres.images import ImageRow, image_of
from infra.postgres.parameters import array
from infra.postgres.rows import object_of
from infra.postgres.tables import ObjectRow
from infra.postgres.work.finishing import Finishing
from infra.postgres.work.leases import Leases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.images import Image
    from domain.entities.work import IndexedImage
    from infra.postgres.models.active import ActiveModel

DIED = (
    "Its workers stopped before they were done with it, again and again; send it in another form."
)

# What a READY image lacks stays written down, out of everybody's reach. What never became an image
# keeps its reason itself.
SET_ASIDE = text("""
    WITH held AS (
        SELECT image_id FROM work
        WHERE model_id = :model AND image_id = :id AND lease = :lease FOR UPDATE
    ), failed AS (
        UPDATE images SET status = 'failed', failure_reason = :error
        WHERE id IN (SELECT image_id FROM held) AND status = 'processing' RETURNING id
    ), refused AS (
        UPDATE objects SET error = :error
        WHERE id IN (SELECT image_id FROM held) AND image_id IS NULL RETURNING id
    ), ended AS (SELECT id FROM failed UNION SELECT id FROM refused), forgotten AS (
        DELETE FROM work WHERE model_id = :model AND image_id IN (SELECT id FROM ended)
    )
    UPDATE work SET due_at = 'infinity', lease = NULL, error = :error
    WHERE model_id = :model
    AND image_id IN (SELECT image_id FROM held EXCEPT SELECT id FROM ended)
""")


@dataclass(frozen=True, slots=True)
class PostgresWorkQueue:
    """What a model has not embedded yet, for any number of workers on any number of machines."""

    engine: AsyncEngine
    model: ActiveModel

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        """Take up to ``limit`` tasks that nobody else has, those on new pictures first."""
        lease, taken = await self._leases.take(limit, seconds=seconds)
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
                    await self.fail(task, row.error or DIED)
        if gone := [row.image_id for row in taken if row.image_id not in subjects]:
            async with self.engine.begin() as connection:
                await self._leases.end(connection, gone, [lease] * len(gone))
        return tasks

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        """Keep tasks for so much longer from now on."""
        await self._leases.extend(*_held(tasks), seconds=seconds)

    async def finish(self, done: Sequence[IndexedImage]) -> Sequence[UUID]:
        """Keep what was made, all or none, and return the ids that became no image."""
        async with self.engine.begin() as connection:
            held = await self._leases.end(connection, *_held([each.task for each in done]))
            return await Finishing(connection, self.model)(done, held)

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        """Let others take them again, but not before so many seconds have passed."""
        await self._leases.release(*_held(tasks), error=error, seconds=seconds)

    async def abandon(self, tasks: Sequence[Task]) -> None:
        """Let others take them at once, as if nobody had taken them up."""
        await self._leases.abandon(*_held(tasks))

    async def fail(self, task: Task, reason: str) -> None:
        """Give a task up, for this reason."""
        held = {"model": self.model.id, "id": task.image_id, "lease": task.lease}
        async with self.engine.begin() as connection:
            await connection.execute(SET_ASIDE, held | {"error": reason})

    async def counts(self) -> WorkCounts:
        """Say how much there is."""
        return WorkCounts(*await self._leases.count())

    @property
    def _leases(self) -> Leases:
        return Leases(self.engine, self.model.id)

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
            found: dict[UUID, Image | FoundObject] = {
                row.id: object_of(row) for row in await session.scalars(objects)
            }
            return found | {row.id: image_of(row) for row in await session.scalars(images)}


def _held(tasks: Sequence[Task]) -> tuple[list[UUID], list[UUID]]:
    """Return ids and leases."""
    return [task.image_id for task in tasks], [task.lease for task in tasks]
