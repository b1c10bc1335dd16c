"""Checks whether a database has all migrations of this version of Pictograph."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# The package ``migrations`` is installed next to ``infra``, as in a checkout.
MIGRATIONS_FOLDER = Path(__file__).parents[2] / "migrations"

HAS_REVISIONS = text("SELECT to_regclass('alembic_version') IS NOT NULL")
REVISIONS = text("SELECT version_num FROM alembic_version")


async def is_current(engine: AsyncEngine) -> bool:
    """Return whether the database has exactly the migrations of this version of Pictograph."""
    async with engine.connect() as connection:
        if not await connection.scalar(HAS_REVISIONS):
            return False
        return [newest_revision()] == [*await connection.scalars(REVISIONS)]


async def check_current(engine: AsyncEngine) -> None:
    """Raise Misconfigured unless the migrations are current."""
    if not await is_current(engine):
        raise Misconfigured(
            f"The tables in the database {engine.url.database} are not those of this version of "
            "Pictograph: run `pictograph migrate`, or a newer Pictograph if the tables are newer."
        )


@cache
def newest_revision() -> str:
    """Return the highest number of a migration, with which its file's name begins."""
    files = (MIGRATIONS_FOLDER / "versions").glob("[0-9]*_*.py")
    return max(file.name.partition("_")[0] for file in files)
