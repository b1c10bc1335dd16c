"""The models that images were embedded by: each has a partition of embeddings and its index."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.models import KnownModel, LiveModel, ModelState
from domain.errors import Misconfigured
from infra.postgres.tables import EmbeddingRow, ModelRow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import EmbeddingModel

logger = logging.getLogger(__name__)

LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pictograph models'))")

# Work on READY images stays behind: whoever is to know them has work of its own.
HAND_OVER = text("""
    INSERT INTO work (model_id, image_id, due_at, error)
    SELECT CAST(:new AS integer), image_id,
        CASE due_at WHEN 'infinity' THEN due_at ELSE now() END, error
    FROM work
    WHERE model_id = :old
    AND NOT EXISTS (SELECT FROM images WHERE id = image_id AND status <> 'processing')
    ON CONFLICT DO NOTHING
""")
FORGET_WORK = text("DELETE FROM work WHERE model_id = :old")

MAX_INLINE = 2_000
"""Dimensions whose vector fits into a page. Read in place, it is compared twice as fast."""


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """A model by which images are embedded and found, and where its embeddings are."""

    id: int
    name: str
    dimensions: int

    @property
    def partition(self) -> str:
        """The table of its embeddings alone."""
        return f"embeddings_{self.id:d}"

    @property
    def index(self) -> str:
        """The HNSW index on them."""
        return f"{self.partition}_hnsw"

    def live(self, source: str) -> LiveModel:
        """Return it as the domain knows it, where it is the one that answers."""
        return LiveModel(self.id, self.name, self.dimensions, ModelState.ACTIVE, source)


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


async def source_of_active(engine: AsyncEngine, wanted: str, *, is_set: bool = True) -> str:
    """Return where the model that is to answer is loaded from; ``wanted`` is for a new library.

    A library with images decides for itself which of the models that it knows answers. What it does
    not know is wanted for a reason, if it was set.
    """
    async with AsyncSession(engine) as session:
        active = await active_row(session)
        if active is None or active.source is None or not await _is_used(session, active):
            return wanted
        said = {wanted, _as_folder(wanted)}
        if said & {active.source, active.name}:
            return active.source
        known = col(ModelRow.source).in_(said) | col(ModelRow.name).in_(said)
        if is_set and not await session.scalar(select(exists().where(known))):
            return wanted
    logger.info(
        "the library is searched by %s, from %s; PICTOGRAPH_MODEL is for a new library",
        active.name,
        active.source,
    )
    return active.source


async def activate(
    engine: AsyncEngine, model: EmbeddingModel, *, source: str | None = None
) -> ActiveModel:
    """Return ``model`` as the active one, which it becomes where nothing is embedded yet.

    Raises Misconfigured when the images were embedded by another: the two cannot be compared.
    """
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(LOCK)
        active = await active_row(session)
        if active is None or (active.name, active.dimensions) != (model.name, model.dimensions):
            active = await _make(session, model, replacing=active, source=source)
        if source:
            active.source = source
        active.activated_at = active.activated_at or datetime.now(UTC)
        return active_model(active)


async def active_row(session: AsyncSession) -> ModelRow | None:
    """Return the row of the model that answers."""
    statement = select(ModelRow).where(col(ModelRow.state) == ModelState.ACTIVE)
    return (await session.scalars(statement)).one_or_none()


def _as_folder(name: str) -> str:
    """Return the path of a folder that is known, though it may be gone."""
    return str(Path(name).expanduser().absolute())


async def _is_used(session: AsyncSession, model: ModelRow) -> bool:
    used = select(exists().where(col(EmbeddingRow.model_id) == model.id))
    return bool(await session.scalar(used))


async def _retire(
    session: AsyncSession, active: ModelRow, *, successor: EmbeddingModel, source: str | None
) -> None:
    if await _is_used(session, active):
        raise Misconfigured(
            f"The images of this library were embedded by {active.name} ({active.dimensions} "
            f"dimensions), which {successor.name} ({successor.dimensions} dimensions) cannot "
            f"search: bring that in without a pause by `pictograph models add "
            f"{source or successor.name}`, or set PICTOGRAPH_MODEL back to "
            f"{active.source or active.name}."
        )
    await session.execute(
        update(ModelRow).where(col(ModelRow.id) == active.id).values(state=ModelState.RETIRED.value)
    )


async def _make(
    session: AsyncSession,
    model: EmbeddingModel,
    *,
    replacing: ModelRow | None,
    source: str | None,
) -> ModelRow:
    if replacing is not None:
        await _retire(session, replacing, successor=model, source=source)
    row = await row_of(session, model)
    row.state = ModelState.ACTIVE
    await session.flush()
    await make_partition(session, active_model(row))
    await session.execute(text(index_of(active_model(row))))
    if replacing is not None:
        await reassign(session, active_model(replacing), active_model(row))
    return row


async def row_of(session: AsyncSession, model: EmbeddingModel) -> ModelRow:
    """Return the row of a model: a new one, of no use yet, where it was never here."""
    known = select(ModelRow).where(
        col(ModelRow.name) == model.name, col(ModelRow.dimensions) == model.dimensions
    )
    row = (await session.scalars(known)).one_or_none()
    if row is None:
        row = ModelRow(name=model.name, dimensions=model.dimensions, state=ModelState.RETIRED)
        session.add(row)
        await session.flush()
    return row


async def reassign(session: AsyncSession, old: ActiveModel, new: ActiveModel) -> None:
    """Make the work on what is no image yet, or none that is READY, the work of another model."""
    await session.execute(HAND_OVER, {"old": old.id, "new": new.id})
    await session.execute(FORGET_WORK, {"old": old.id})


async def make_partition(session: AsyncSession, model: ActiveModel) -> None:
    """Make the table of a model's embeddings, where it is missing, without the index on it."""
    table = model.partition
    statements = [
        f"CREATE TABLE IF NOT EXISTS {table} PARTITION OF embeddings FOR VALUES IN ({model.id:d})",
    ]
    if model.dimensions <= MAX_INLINE:
        statements.append(f"ALTER TABLE {table} ALTER COLUMN embedding SET STORAGE PLAIN")
    for statement in statements:
        await session.execute(text(statement))


def index_of(model: ActiveModel, *, concurrently: bool = False) -> str:
    """Return the statement that makes the HNSW index, in half precision: half the memory.

    Twice the links that pgvector makes by default, chosen with thrice the care: texts, which
    lie far from every picture, need both (measured by ``benchmarks.search``).
    """
    how = "CONCURRENTLY IF NOT EXISTS" if concurrently else "IF NOT EXISTS"
    return (
        f"CREATE INDEX {how} {model.index} ON {model.partition} "
        f"USING hnsw ((embedding::halfvec({model.dimensions:d})) halfvec_ip_ops) "
        "WITH (m = 32, ef_construction = 200)"
    )


def active_model(row: ModelRow) -> ActiveModel:
    """Return where the embeddings of a row's model are."""
    assert row.id is not None  # noqa: S101 - rows from the database have one
    return ActiveModel(row.id, row.name, row.dimensions)
