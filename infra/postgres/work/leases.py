"""The table of work: rows that one worker at a time may have, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Rows that another worker is about to take are passed over, so that nobody waits for anybody.
# In columns, which decode faster than rows.
TAKE = text("""
    WITH free AS MATERIALIZED (
        SELECT ctid FROM work WHERE model_id = :model AND due_at <= now()
        ORDER BY due_at, image_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE work SET lease = :lease, attempts = attempts + 1,
            due_at = now() + :seconds * interval '1 second'
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM free))
        RETURNING image_id, attempts, error
    )
    SELECT array_agg(image_id), array_agg(attempts), array_agg(error) FROM taken
""")
END = text("""
    DELETE FROM work USING unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
    RETURNING image_id
""")
EXTEND = text("""
    UPDATE work SET due_at = now() + :seconds * interval '1 second'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
RELEASE = text("""
    UPDATE work SET due_at = now() + :seconds * interval '1 second', lease = NULL, error = :error
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
GIVE_BACK = text("""
    UPDATE work SET due_at = now(), lease = NULL, attempts = attempts - 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS uuid[])) AS held (id, lease)
    WHERE model_id = :model AND image_id = held.id AND work.lease = held.lease
""")
COUNT = text("""
    SELECT count(*) FILTER (WHERE due_at < 'infinity' AND (lease IS NULL OR due_at <= now())),
        count(*) FILTER (WHERE due_at < 'infinity' AND lease IS NOT NULL AND due_at > now()),
        count(*) FILTER (WHERE due_at = 'infinity')
    FROM work WHERE model_id = :model
""")


class Taken(NamedTuple):
    """A row that was taken."""

    image_id: UUID
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Leases:
    """The rows of one model, for any number of workers on any number of machines."""

    engine: AsyncEngine
    model_id: int

    async def take(self, limit: int, *, seconds: float) -> tuple[UUID, list[Taken]]:
        """Take up to ``limit`` rows that nobody else has; return the lease and the rows."""
        lease = uuid4()
        async with self.engine.begin() as connection:
            row = (
                await self._run(connection, TAKE, limit=limit, lease=lease, seconds=seconds)
            ).one()
        return lease, [Taken(*each) for each in zip(*(column or () for column in row), strict=True)]

    async def end(
        self, connection: AsyncConnection, ids: Sequence[UUID], leases: Sequence[UUID]
    ) -> set[UUID]:
        """Take rows off the table that are still on these leases, and return their ids."""
        return set((await self._run(connection, END, ids=ids, leases=leases)).scalars())

    async def extend(self, ids: Sequence[UUID], leases: Sequence[UUID], *, seconds: float) -> None:
        """Keep rows for so much longer from now on."""
        async with self.engine.begin() as connection:
            await self._run(connection, EXTEND, ids=ids, leases=leases, seconds=seconds)

    async def release(
        self, ids: Sequence[UUID], leases: Sequence[UUID], *, error: str, seconds: float
    ) -> None:
        """Let others take rows again, once so many seconds have passed."""
        values = {"ids": ids, "leases": leases, "error": error, "seconds": seconds}
        async with self.engine.begin() as connection:
            await self._run(connection, RELEASE, **values)

    async def abandon(self, ids: Sequence[UUID], leases: Sequence[UUID]) -> None:
        """Let others take rows at once, as if nobody had taken them."""
        async with self.engine.begin() as connection:
            await self._run(connection, GIVE_BACK, ids=ids, leases=leases)

    async def count(self) -> tuple[int, int, int]:
        """Return how many rows wait, are leased, and are set aside."""
        async with self.engine.connect() as connection:
            waiting, leased, aside = (await self._run(connection, COUNT)).one()
        return waiting, leased, aside

    async def _run(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> CursorResult[*tuple[Any, ...]]:
        return await connection.execute(statement, {"model": self.model_id} | values)
