"""Which model somebody means: by its name, the beginning of it, or where it is loaded from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlmodel import col

from domain.entities.models import ModelState
from domain.errors import InvalidArgument
from infra.postgres.tables import ModelRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


async def row_named(session: AsyncSession, said: str, *, retired: bool = False) -> ModelRow:
    """Return the model that is meant. Raises InvalidArgument, listing those there are.

    One that was dropped is meant only where no other is, or where ``retired`` ones count.
    """
    rows = (await session.scalars(select(ModelRow).order_by(col(ModelRow.id)))).all()
    live = [row for row in rows if row.state != ModelState.RETIRED]
    for among in (live, rows):
        for found in (
            [row for row in among if said in {row.name, row.source}],
            [row for row in among if row.name.startswith(said)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise InvalidArgument(
                    ("name",), f"{said} may be {_listed(found)}; say which of them is meant."
                )
    shown = rows if retired else live
    there_is = f"there are {_listed(shown)}" if shown else "there is none"
    raise InvalidArgument(("name",), f"No model of the library is called {said}; {there_is}.")


def _listed(rows: Sequence[ModelRow]) -> str:
    *others, last = [f"{row.name} ({row.dimensions} dimensions, {row.state})" for row in rows]
    return f"{', '.join(others)} and {last}" if others else last
