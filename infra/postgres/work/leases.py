"""Leases on rows of the table ``work``: one holder at a time, until the lease expires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# SKIP LOCKED: workers do not wait for each other's rows. The result is arrays, which decode faster
# than rows.
ACQUIRE_LEASES = text("""
    WITH due AS MATERIALIZED (
        SELECT ctid FROM work WHERE model_id = :model AND due_at <= now()
        ORDER BY due_at, image_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE work SET lease = :lease, attempts = attempts + 1,
            due_at = now() + :seconds * interval '1 second'
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM due))
        RETURNING image_id, attempts, error
    )
    SELECT array_agg(image_id), array_agg(attempts), array_agg(error) FROM leased
""")
DELETE_HELD = text("""
    DELETE FROM work USING unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
    RETURNING image_id
""")
EXTEND_LEASES = text("""
    UPDATE work SET due_at = now() + :seconds * interval '1 second'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
RELEASE_LEASES = text("""
    UPDATE work SET due_at = now() + :seconds * interval '1 second', lease = NULL, error = :error
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
ABANDON_LEASES = text("""
    UPDATE work SET due_at = now(), lease = NULL, attempts = attempts - 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
COUNT_TASKS = text("""
    SELECT count(*) FILTER (WHERE due_at < 'infinity' AND (lease IS NULL OR due_at <= now())),
        count(*) FILTER (WHERE due_at < 'infinity' AND lease IS NOT NULL AND due_at > now()),
        count(*) FILTER (WHERE due_at = 'infinity')
    FROM work WHERE model_id = :model
""")


class LeasedRow(NamedTuple):
    """A row with a new lease."""

    image_id: UUID
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Leases:
    """The tasks of one model. A change applies only to rows that are still on the given leases."""

    engine: AsyncEngine
    model_id: int

    async def acquire(self, limit: int, *, seconds: float) -> tuple[UUID, list[LeasedRow]]:
        """Lease up to ``limit`` due rows, and return the lease and the rows."""
        lease = uuid4()
        async with self.engine.begin() as connection:
            row = (
                await self._run(
                    connection, ACQUIRE_LEASES, limit=limit, lease=lease, seconds=seconds
                )
            ).one()
        return lease, [
            LeasedRow(*each) for each in zip(*(array or () for array in row), strict=True)
        ]

    async def delete(
        self, connection: AsyncConnection, ids: Sequence[UUID], leases: Sequence[UUID]
    ) -> set[UUID]:
        """Delete rows, and return the ids of the deleted ones."""
        return set((await self._run(connection, DELETE_HELD, ids=ids, leases=leases)).scalars())

    async def extend(self, ids: Sequence[UUID], leases: Sequence[UUID], *, seconds: float) -> None:
        """Let the leases expire ``seconds`` from now."""
        async with self.engine.begin() as connection:
            await self._run(connection, EXTEND_LEASES, ids=ids, leases=leases, seconds=seconds)

    async def release(
        self, ids: Sequence[UUID], leases: Sequence[UUID], *, error: str, seconds: float
    ) -> None:
        """End the leases, store the error, and make the rows due after a backoff."""
        values = {"ids": ids, "leases": leases, "error": error, "seconds": seconds}
        async with self.engine.begin() as connection:
            await self._run(connection, RELEASE_LEASES, **values)

    async def abandon(self, ids: Sequence[UUID], leases: Sequence[UUID]) -> None:
        """End the leases without counting the attempt, and make the rows due at once."""
        async with self.engine.begin() as connection:
            await self._run(connection, ABANDON_LEASES, ids=ids, leases=leases)

    async def count(self) -> tuple[int, int, int]:
        """Count the rows that wait, are leased, and are dead letters."""
        async with self.engine.connect() as connection:
            waiting, leased, failed = (await self._run(connection, COUNT_TASKS)).one()
        return waiting, leased, failed

    async def _run(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> CursorResult[*tuple[Any, ...]]:
        return await connection.execute(statement, {"model": self.model_id} | values)
