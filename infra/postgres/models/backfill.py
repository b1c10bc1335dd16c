"""The end of a model's backfill: a lock across processes, and the index."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from infra.postgres.models.partitions import (
    MAX_BUILD_BYTES,
    create_index,
    graph_bytes,
    index_name,
    partition_name,
)
from infra.postgres.models.tasks import ENQUEUE_MISSING, HAS_WAITING
from infra.postgres.tables import ModelRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtext('pictograph index'), :model)")
UNLOCK = text("SELECT pg_advisory_unlock(hashtext('pictograph index'), :model)")
IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")

# A graph that does not fit makes a build several times slower. Memory is taken as it is needed, but
# workers that build together share all of it from the beginning.
SET_BUILD_MEMORY = text(f"""
    SELECT set_config('maintenance_work_mem', GREATEST(
        pg_size_bytes(current_setting('maintenance_work_mem')),
        LEAST(CAST(:bytes AS bigint), {MAX_BUILD_BYTES})
    ) / 1024 || 'kB', false)
""")
BUILD_ALONE = text("SET max_parallel_maintenance_workers = 0")
RESET_BUILD = (text("RESET maintenance_work_mem"), text("RESET max_parallel_maintenance_workers"))

NO_SHARED_MEMORY = ("53100", "53200")
"""Too little shared memory for workers: containers have 64 MB if nothing else is configured."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lock_backfill(
    engine: AsyncEngine, model_id: int
) -> AsyncIterator[PostgresBackfill | None]:
    """Take a session-level advisory lock, on a connection that commits each statement."""
    async with engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(TRY_LOCK, {"model": model_id}):
            yield None
            return
        try:
            yield PostgresBackfill(connection, model_id)
        except BaseException:
            # Closing the connection ends the lock and any statement that is still running.
            await connection.invalidate()
            raise
        await connection.execute(UNLOCK, {"model": model_id})


@dataclass(frozen=True, slots=True)
class PostgresBackfill:
    """The end of a backfill, on the connection that holds its lock."""

    connection: AsyncConnection
    model_id: int

    async def has_waiting(self, *, ready_for: timedelta) -> bool:
        values = {"model": self.model_id, "seconds": ready_for.total_seconds()}
        return bool(await self.connection.scalar(HAS_WAITING, values))

    async def enqueue_missing(self) -> None:
        await self.connection.execute(ENQUEUE_MISSING, {"model": self.model_id})

    async def build_index(self) -> None:
        index = index_name(self.model_id)
        is_valid = await self.connection.scalar(IS_VALID, {"index": index})
        if is_valid:
            return
        if is_valid is False:
            # The process that built it was killed.
            await self.connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index}"))
        model = select(col(ModelRow.name), col(ModelRow.dimensions)).where(
            col(ModelRow.id) == self.model_id
        )
        name, dimensions = (await self.connection.execute(model)).one()
        logger.info("building the index of %s", name)
        partition = partition_name(self.model_id)
        count = await self.connection.scalar(text(f"SELECT count(*) FROM {partition}"))  # noqa: S608 - its own name
        memory = {"bytes": (count or 0) * graph_bytes(dimensions)}
        build = text(create_index(self.model_id, dimensions, concurrently=True))
        try:
            await self.connection.execute(SET_BUILD_MEMORY, memory)
            await self.connection.execute(build)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in NO_SHARED_MEMORY:
                raise
            logger.warning("the index of %s is built by one process: %s", name, error.orig)
            await self.connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index}"))
            await self.connection.execute(BUILD_ALONE)
            await self.connection.execute(build)
        finally:
            for setting in RESET_BUILD:
                await self.connection.execute(setting)
