"""The models that images were embedded by: each has a partition of embeddings and its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.embeddings import EmbeddingModel, KnownModel, ModelState
from domain.errors import Misconfigured
from infra.postgres.tables import EmbeddingRow, ModelRow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pictograph models'))")

MAX_INLINE = 2_000
"""Dimensions whose vector fits into a page. Read in place, it is compared twice as fast."""


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model that answers searches, and where its embeddings are."""

    id: int
    name: str
    dimensions: int

    @property
    def partition(self) -> str:
        """The table of its embeddings alone."""
        return f"embeddings_{self.id:d}"


async def known_models(session: AsyncSession) -> list[KnownModel]:
    """Return every model, the oldest first, and how many embeddings it has."""
    embedded = (
        select(func.count())
        .where(col(EmbeddingRow.model_id) == col(ModelRow.id))
        .correlate(ModelRow)
        .scalar_subquery()
    )
    statement = select(ModelRow, embedded).order_by(col(ModelRow.id))
    return [
        KnownModel(row.name, row.dimensions, ModelState(row.state), count)
        for row, count in await session.execute(statement)
    ]


async def activate(engine: AsyncEngine, model: EmbeddingModel) -> ActiveModel:
    """Return ``model`` as the active one, which it becomes where nothing is embedded yet.

    Raises Misconfigured when the images were embedded by another: the two cannot be compared.
    """
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(LOCK)
        active = await _active(session)
        if active is None or (active.name, active.dimensions) != (model.name, model.dimensions):
            if active is not None:
                await _retire(session, active, successor=model)
            active = await _make(session, model)
        return _active_model(active)


async def _active(session: AsyncSession) -> ModelRow | None:
    statement = select(ModelRow).where(col(ModelRow.state) == ModelState.ACTIVE)
    return (await session.scalars(statement)).one_or_none()


async def _retire(session: AsyncSession, active: ModelRow, *, successor: EmbeddingModel) -> None:
    used = select(exists().where(col(EmbeddingRow.model_id) == active.id))
    if await session.scalar(used):
        raise Misconfigured(
            f"The images of this library were embedded by {active.name} ({active.dimensions} "
            f"dimensions), which {successor.name} ({successor.dimensions} dimensions) cannot "
            f"search: set PICTOGRAPH_MODEL to {active.name}, or start a library of its own with "
            "another PICTOGRAPH_DATABASE_URL or PICTOGRAPH_DATA_DIR."
        )
    await session.execute(
        update(ModelRow).where(col(ModelRow.id) == active.id).values(state=ModelState.RETIRED.value)
    )


async def _make(session: AsyncSession, model: EmbeddingModel) -> ModelRow:
    known = select(ModelRow).where(
        col(ModelRow.name) == model.name, col(ModelRow.dimensions) == model.dimensions
    )
    row = (await session.scalars(known)).one_or_none()
    if row is None:
        row = ModelRow(name=model.name, dimensions=model.dimensions, state=ModelState.ACTIVE)
        session.add(row)
    row.state = ModelState.ACTIVE
    await session.flush()
    await make_partition(session, _active_model(row))
    return row


async def make_partition(session: AsyncSession, model: ActiveModel) -> None:
    """Make the table of a model's embeddings, where it is missing, and the index on it."""
    table = model.partition
    statements = [
        f"CREATE TABLE IF NOT EXISTS {table} PARTITION OF embeddings FOR VALUES IN ({model.id:d})",
    ]
    if model.dimensions <= MAX_INLINE:
        statements.append(f"ALTER TABLE {table} ALTER COLUMN embedding SET STORAGE PLAIN")
    statements.append(index_of(model))
    for statement in statements:
        await session.execute(text(statement))


def index_of(model: ActiveModel) -> str:
    """Return the statement that makes the HNSW index, in half precision: half the memory.

    Twice the links that pgvector makes by default, chosen with thrice the care: texts, which
    lie far from every picture, need both (measured by ``benchmarks.search``).
    """
    return (
        f"CREATE INDEX IF NOT EXISTS {model.partition}_hnsw ON {model.partition} "
        f"USING hnsw ((embedding::halfvec({model.dimensions:d})) halfvec_ip_ops) "
        "WITH (m = 32, ef_construction = 200)"
    )


def _active_model(row: ModelRow) -> ActiveModel:
    assert row.id is not None  # noqa: S101 - rows from the database have one
    return ActiveModel(row.id, row.name, row.dimensions)
