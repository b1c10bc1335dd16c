"""Rows of models, and the advisory lock that serializes changes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlmodel import col

from domain.entities.models import LIVE_STATES, ModelState, StoredModel
from infra.postgres.tables import ModelRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.entities.embeddings import EmbeddingModel

LOCK_MODELS = text("SELECT pg_advisory_xact_lock(hashtext('pictograph models'))")

_QUOTED_LIVE_STATES = ", ".join(f"'{state}'" for state in LIVE_STATES)
IS_LIVE = f"state IN ({_QUOTED_LIVE_STATES})"
"""The condition for rows of live models, in SQL."""


async def stored_models(session: AsyncSession) -> Sequence[StoredModel]:
    """Return every model, oldest first."""
    rows = await session.scalars(select(ModelRow).order_by(col(ModelRow.id)))
    return [stored_model(row) for row in rows]


def stored_model(row: ModelRow) -> StoredModel:
    """Convert a row. Rows of early versions have no source; the name stands in for it."""
    return StoredModel(
        id_of(row),
        row.name,
        row.dimensions,
        ModelState(row.state),
        row.source or row.name,
        row.activated_at,
    )


async def insert_model(session: AsyncSession, model: EmbeddingModel) -> ModelRow:
    """Return the row of a model, inserted as RETIRED if there is none."""
    statement = select(ModelRow).where(
        col(ModelRow.name) == model.name, col(ModelRow.dimensions) == model.dimensions
    )
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        row = ModelRow(name=model.name, dimensions=model.dimensions, state=ModelState.RETIRED)
        session.add(row)
        await session.flush()
    return row


def id_of(row: ModelRow) -> int:
    """Return the id of a row that was read or flushed."""
    assert row.id is not None  # noqa: S101 - rows from the database have one
    return row.id
