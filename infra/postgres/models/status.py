"""The progress of each model of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.entities.models import ModelState, ModelStatus
from domain.entities.work import WorkCounts
from infra.postgres.models.partitions import partition_name

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

MAX_NAMED_ERRORS = 3
"""How many errors are listed for each model."""

SELECT_MODELS = text("""
    SELECT id, name, dimensions, state, source,
        (SELECT count(*) FROM embeddings WHERE model_id = models.id) AS embedded
    FROM models ORDER BY id
""")
COUNT_READY_IMAGES = text("""
    SELECT count(*) FROM images WHERE status = 'ready' AND deleted_at IS NULL
""")
COUNT_TASKS_BY_MODEL = text("""
    SELECT model_id,
        count(*) FILTER (WHERE due_at < 'infinity' AND (lease IS NULL OR due_at <= now())),
        count(*) FILTER (WHERE due_at < 'infinity' AND lease IS NOT NULL AND due_at > now()),
        count(*) FILTER (WHERE due_at = 'infinity')
    FROM work GROUP BY model_id
""")
MOST_FREQUENT_ERRORS = text("""
    SELECT model_id, error FROM (
        SELECT model_id, error, row_number() OVER (PARTITION BY model_id ORDER BY count(*) DESC)
            AS place
        FROM work WHERE error IS NOT NULL GROUP BY model_id, error
    ) AS errors WHERE place <= :max_errors ORDER BY model_id, place
""")
# The share of the table's blocks that the index has.
INDEX_PROGRESS = text("""
    SELECT relname, COALESCE(blocks_done::double precision / NULLIF(blocks_total, 0), 0)
    FROM pg_stat_progress_create_index JOIN pg_class ON pg_class.oid = relid
    WHERE datname = current_database()
""")


async def model_statuses(engine: AsyncEngine) -> list[ModelStatus]:
    """Return the progress of every model, oldest first."""
    async with engine.connect() as connection:
        models = (await connection.execute(SELECT_MODELS)).all()
        library_size = await connection.scalar(COUNT_READY_IMAGES) or 0
        counts = {
            row[0]: WorkCounts(*row[1:]) for row in await connection.execute(COUNT_TASKS_BY_MODEL)
        }
        indexing = {row[0]: row[1] for row in await connection.execute(INDEX_PROGRESS)}
        errors: dict[int, list[str]] = {}
        most_frequent = await connection.execute(
            MOST_FREQUENT_ERRORS, {"max_errors": MAX_NAMED_ERRORS}
        )
        for model_id, error in most_frequent:
            errors.setdefault(model_id, []).append(error)
    return [
        ModelStatus(
            name=row.name,
            dimensions=row.dimensions,
            state=ModelState(row.state),
            source=row.source,
            embedded=row.embedded,
            library_size=library_size,
            work=counts.get(row.id, WorkCounts(0, 0, 0)),
            errors=tuple(errors.get(row.id, ())),
            indexing=indexing.get(partition_name(row.id)),
        )
        for row in models
    ]
