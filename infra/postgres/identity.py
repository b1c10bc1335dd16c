"""The identity of the library: one row of the table ``library``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlmodel import col

from infra.postgres.engine import autocommit
from infra.postgres.tables import LibraryRow

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class PostgresIdentity:
    """The id that a migration gave the database. Dumps and replicas keep it."""

    engine: AsyncEngine

    async def library_id(self) -> UUID:
        async with autocommit(self.engine) as session:
            return (await session.scalars(select(col(LibraryRow.id)))).one()
