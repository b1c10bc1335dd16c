"""How far each model of a library has got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.entities.models import LIVE, ModelState, ModelStatus
from domain.entities.work import WorkCounts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

ERRORS = 3
"""How many things that were in the way are told of a model."""

MODELS = text("""
    SELECT id, name, dimensions, state, source,
        (SELECT count(*) FROM embeddings WHERE model_id = models.id) AS embedded
    FROM models ORDER BY id
""")
TOTAL = text("SELECT count(*) FROM images WHERE status = 'ready'")
COUNTS = text("""
    SELECT model_id,
        count(*) FILTER (WHERE due_at < 'infinity' AND (lease IS NULL OR due_at <= now())),
        count(*) FILTER (WHERE due_at < 'infinity' AND lease IS NOT NULL AND due_at > now()),
        count(*) FILTER (WHERE due_at = 'infinity')
    FROM work GROUP BY model_id
""")
LAST_ERRORS = text("""
    SELECT model_id, error FROM (
        SELECT model_id, error, row_number() OVER (PARTITION BY model_id ORDER BY count(*) DESC)
            AS place
        FROM work WHERE error IS NOT NULL GROUP BY model_id, error
    ) AS errors WHERE place <= :most ORDER BY model_id, place
""")
# How many blocks of the table are in the index, of all there are.
INDEXING = text("""
    SELECT relname, COALESCE(blocks_done::double precision / NULLIF(blocks_total, 0), 0)
    FROM pg_stat_progress_create_index JOIN pg_class ON pg_class.oid = relid
    WHERE datname = current_database()
""")


async def statuses(engine: AsyncEngine) -> list[ModelStatus]:
    """Return how far each model has got, the oldest first."""
    async with engine.connect() as connection:
        models = (await connection.execute(MODELS)).all()
        total = await connection.scalar(TOTAL) or 0
        counts = {row[0]: WorkCounts(*row[1:]) for row in await connection.execute(COUNTS)}
        building = {row[0]: row[1] for row in await connection.execute(INDEXING)}
        errors: dict[int, list[str]] = {}
        for model_id, error in await connection.execute(LAST_ERRORS, {"most": ERRORS}):
            errors.setdefault(model_id, []).append(error)
    return [
        ModelStatus(
            name=row.name,
            dimensions=row.dimensions,
            state=ModelState(row.state),
            source=row.source,
            embedded=row.embedded,
            total=total if row.state in LIVE else 0,
            work=counts.get(row.id, WorkCounts(0, 0, 0)),
            errors=tuple(errors.get(row.id, ())),
            indexing=building.get(f"embeddings_{row.id}"),
        )
        for row in models
    ]
