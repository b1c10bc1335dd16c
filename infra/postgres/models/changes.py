"""Changes of the models of a library on PostgreSQL: locks, retries and long statements."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Misconfigured
from infra.postgres.conflicts import repeat_conflicts
from infra.postgres.models.backfill import lock_backfill
from infra.postgres.models.rows import LOCK_MODELS
from infra.postgres.models.tasks import ENQUEUE_MISSING
from infra.postgres.models.transaction import DELETE_DERIVED, PostgresModelTransaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.ports import ModelTransaction
    from infra.postgres.models.backfill import PostgresBackfill

T = TypeVar("T")

LOCK_NOT_AVAILABLE = "55P03"
MAX_LOCK_ATTEMPTS = 100
LOCK_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class PostgresModelChanges:
    """Changes of the models of a library."""

    engine: AsyncEngine

    async def run(self, change: Callable[[ModelTransaction], Awaitable[T]]) -> T:
        return await repeat_conflicts(partial(self._run_unlocked, change))

    def backfill(self, model_id: int) -> AbstractAsyncContextManager[PostgresBackfill | None]:
        return lock_backfill(self.engine, model_id)

    async def enqueue_missing(self, model_id: int) -> None:
        await repeat_conflicts(partial(self._execute, ENQUEUE_MISSING, model_id))

    async def delete_derived(self, model_id: int) -> None:
        for statement in DELETE_DERIVED:
            await repeat_conflicts(partial(self._execute, statement, model_id))

    async def _execute(self, statement: TextClause, model_id: int) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(statement, {"model": model_id})

    async def _run_unlocked(self, change: Callable[[ModelTransaction], Awaitable[T]]) -> T:
        for _ in range(MAX_LOCK_ATTEMPTS):
            try:
                return await self._run_once(change)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
            await asyncio.sleep(LOCK_RETRY_SECONDS)
        raise Misconfigured(
            "Another program, such as a backup, keeps the tables locked; repeat the command later."
        )

    async def _run_once(self, change: Callable[[ModelTransaction], Awaitable[T]]) -> T:
        async with AsyncSession(self.engine) as session, session.begin():
            await session.execute(LOCK_MODELS)
            return await change(PostgresModelTransaction(session))
