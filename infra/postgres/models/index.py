"""Finishing a model that is filled: whatever was missed is filled in, and then its index built."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.entities.models import ModelState
from infra.postgres.models.active import LOCK, active_model, index_of
from infra.postgres.tables import ModelRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

TRY = text("SELECT pg_try_advisory_lock(hashtext('pictograph index'), :model)")
UNLOCK = text("SELECT pg_advisory_unlock(hashtext('pictograph index'), :model)")
LEFT = text("""
    SELECT EXISTS (
        SELECT FROM work JOIN images ON images.id = image_id
        WHERE model_id = :model AND due_at < 'infinity' AND ready_at <= :before
    ) AS is_left
""")
IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")

logger = logging.getLogger(__name__)


async def settle(engine: AsyncEngine, model_id: int, *, fill: TextClause, before: datetime) -> bool:
    """Finish a model that is BACKFILLING if nothing is left to do, and tell whether it is READY.

    That is nothing on images that were READY ``before``: new ones come all the time.
    """
    left = {"model": model_id, "before": before}
    async with AsyncSession(engine) as session:
        row = await session.get_one(ModelRow, model_id)
        if row.state != ModelState.BACKFILLING:
            return row.state != ModelState.RETIRED
        model = active_model(row)
        if await session.scalar(LEFT, left):
            return False
    async with _only_one(engine, model_id) as connection:
        if connection is None:
            return False
        # It looks at every image: not again and again while another builds the index.
        await connection.execute(fill, {"model": model_id})
        if await connection.scalar(LEFT, left):
            return False
        is_valid = await connection.scalar(IS_VALID, {"index": model.index})
        if is_valid is False:
            # Whoever built it was killed.
            await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {model.index}"))
        if not is_valid:
            logger.info("building the index of %s", model.name)
            await connection.execute(text(index_of(model, concurrently=True)))
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(LOCK)
        row = await session.get_one(ModelRow, model_id)
        if row.state == ModelState.BACKFILLING:
            row.state = ModelState.READY
            logger.info("%s is ready", model.name)
        return row.state != ModelState.RETIRED


@asynccontextmanager
async def _only_one(engine: AsyncEngine, model_id: int) -> AsyncIterator[AsyncConnection | None]:
    """Yield a connection without transactions to one process at a time, None to others."""
    async with engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(TRY, {"model": model_id}):
            yield None
            return
        try:
            yield connection
        except BaseException:
            # The lock ends with it, and so does what was begun.
            await connection.invalidate()
            raise
        await connection.execute(UNLOCK, {"model": model_id})
