"""Which model a server loads at its start, and where its embeddings are."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import exists, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.models import ModelState, StoredModel
from domain.errors import Misconfigured
from infra.postgres.models.partitions import (
    create_index,
    create_partition,
    index_name,
    partition_name,
)
from infra.postgres.models.rows import LOCK_MODELS, active_row, id_of, insert_model
from infra.postgres.models.tasks import reassign_tasks
from infra.postgres.tables import EmbeddingRow, ModelRow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import EmbeddingModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """A model that embeds and finds images, and the partition of its embeddings."""

    id: int
    name: str
    dimensions: int

    @property
    def partition(self) -> str:
        """The table of its embeddings alone."""
        return partition_name(self.id)

    @property
    def index(self) -> str:
        """The HNSW index on them."""
        return index_name(self.id)

    def stored(self, source: str) -> StoredModel:
        """Return it as the ACTIVE model of the library."""
        return StoredModel(self.id, self.name, self.dimensions, ModelState.ACTIVE, source)


async def source_of_active(engine: AsyncEngine, wanted: str, *, is_set: bool = True) -> str:
    """Return where the ACTIVE model is loaded from; ``wanted`` for a library without embeddings.

    A library with embeddings keeps its ACTIVE model if it knows the wanted one. If it does not, and
    ``wanted`` was set explicitly, that is returned, so that ``activate`` can refuse it.
    """
    async with AsyncSession(engine) as session:
        active = await active_row(session)
        if active is None or active.source is None or not await _has_embeddings(session, active):
            return wanted
        names = {wanted, _absolute_path(wanted)}
        if names & {active.source, active.name}:
            return active.source
        known = col(ModelRow.source).in_(names) | col(ModelRow.name).in_(names)
        if is_set and not await session.scalar(select(exists().where(known))):
            return wanted
    logger.info(
        "the active model of the library is %s, from %s; PICTOGRAPH_MODEL is for a new library",
        active.name,
        active.source,
    )
    return active.source


async def activate(
    engine: AsyncEngine, model: EmbeddingModel, *, source: str | None = None
) -> ActiveModel:
    """Return ``model`` as the ACTIVE one. In a library without embeddings it becomes that.

    Raises Misconfigured if another model has embedded the images.
    """
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(LOCK_MODELS)
        active = await active_row(session)
        if active is None or (active.name, active.dimensions) != (model.name, model.dimensions):
            active = await _make_active(session, model, replacing=active, source=source)
        if source:
            active.source = source
        active.activated_at = active.activated_at or datetime.now(UTC)
        return ActiveModel(id_of(active), active.name, active.dimensions)


def _absolute_path(name: str) -> str:
    """Return the path of a folder that may no longer exist."""
    return str(Path(name).expanduser().absolute())


async def _has_embeddings(session: AsyncSession, model: ModelRow) -> bool:
    embeddings = select(exists().where(col(EmbeddingRow.model_id) == model.id))
    return bool(await session.scalar(embeddings))


async def _make_active(
    session: AsyncSession,
    model: EmbeddingModel,
    *,
    replacing: ModelRow | None,
    source: str | None,
) -> ModelRow:
    if replacing is not None:
        await _retire(session, replacing, successor=model, source=source)
    row = await insert_model(session, model)
    row.state = ModelState.ACTIVE
    await session.flush()
    model_id = id_of(row)
    await create_partition(session, model_id, row.dimensions)
    await session.execute(text(create_index(model_id, row.dimensions)))
    if replacing is not None:
        await reassign_tasks(session, id_of(replacing), model_id)
    return row


async def _retire(
    session: AsyncSession, active: ModelRow, *, successor: EmbeddingModel, source: str | None
) -> None:
    if await _has_embeddings(session, active):
        raise Misconfigured(
            f"The images of this library were embedded by {active.name} ({active.dimensions} "
            f"dimensions), which {successor.name} ({successor.dimensions} dimensions) cannot "
            f"search: change the model while the library is in use by `pictograph models add "
            f"{source or successor.name}`, or set PICTOGRAPH_MODEL back to "
            f"{active.source or active.name}."
        )
    await session.execute(
        update(ModelRow).where(col(ModelRow.id) == active.id).values(state=ModelState.RETIRED.value)
    )
