"""Bulk-loads a catalog by COPY: 200,000 images in less than 30 s, without the index."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from benchmarks.real_clip import MODEL
from infra.postgres.models.changes import PostgresModelChanges
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import EmbeddingModel
    from infra.postgres.models.active import ActiveModel

ROWS_PER_COPY = 10_000
REPORT_INTERVAL_SECONDS = 20.0
SELECT_INDEXED_COUNT = text("SELECT tuples_done FROM pg_stat_progress_create_index")

# Image n has the id n, and a hash, so that no server looks for its file. Tags, times, cameras and
# places have many selectivities, and none correlates with the embedding.
INSERT_IMAGES = text("""
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, width,
        height, alt_text, tags, taken_at, taken_at_local, camera_make, camera_model,
        latitude, longitude, perceptual_hash, pixel_sha256)
    SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n), 64, '0'), n || '.jpg', 'image/jpeg', n,
        now(), 'ready', 640, 480, CASE WHEN n % 10 = 1 THEN 'a red boat' ELSE 'a photo' END,
        array_remove(ARRAY[CASE WHEN n % 2 = 0 THEN 'half' END,
            CASE WHEN n % 100 = 0 THEN 'hundredth' END, CASE WHEN n % 10 = 0 THEN 'tenth' END,
            CASE WHEN n % 1000 = 0 THEN 'thousandth' END], NULL),
        '2020-01-01Z'::timestamptz + n::bigint * 7919 % 100000 * interval '1 minute',
        '2020-01-01'::timestamp + n::bigint * 7919 % 100000 * interval '1 minute',
        'Maker ' || n % 7, 'Camera ' || n % 20,
        n::bigint * 104729 % 18000 / 100.0 - 90, n::bigint * 15485863 % 36000 / 100.0 - 180,
        sha256(n::text::bytea), encode(sha256(n::text::bytea), 'hex')
    FROM generate_series(0, :last) AS n
""")


async def load(
    engine: AsyncEngine,
    points: NDArray[np.float32],
    report: Callable[[str], None] = lambda _: None,
    *,
    model: EmbeddingModel = MODEL,
) -> PostgresLibrary:
    """Open a catalog, fill it, and build the index at the end, as a first import does.

    Calls ``report`` with lines of progress.
    """
    catalog = await store(engine, points, model=model)
    report(f"{len(points):,} images loaded; building the index")
    await build(catalog, report)
    return catalog


async def store(
    engine: AsyncEngine, points: NDArray[np.float32], *, model: EmbeddingModel = MODEL
) -> PostgresLibrary:
    """Open a catalog, drop its index, and store images with their vectors."""
    catalog = await PostgresLibrary.open(engine, model)
    active = catalog.model
    assert active is not None  # noqa: S101 - just opened with one
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP INDEX IF EXISTS {active.partition}_hnsw"))
        await connection.execute(INSERT_IMAGES, {"last": len(points) - 1})
        # Any: asyncpg ships no types.
        driver: Any = (await connection.get_raw_connection()).driver_connection
        for start in range(0, len(points), ROWS_PER_COPY):
            await driver.copy_to_table(
                "embeddings",
                source=_file(start, points[start : start + ROWS_PER_COPY], active),
                columns=["image_id", "model_id", "embedding"],
                format="binary",
            )
    return catalog


async def build(catalog: PostgresLibrary, report: Callable[[str], None] = lambda _: None) -> None:
    """Build the index, by as many workers as the server permits, and analyse all tables."""
    engine = catalog.engine
    async with (
        report_index_progress(engine, report),
        PostgresModelChanges(engine).backfill(catalog.model.id) as backfill,
    ):
        assert backfill  # noqa: S101 - no other process
        await backfill.build_index()
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))


@asynccontextmanager
async def report_index_progress(
    engine: AsyncEngine, report: Callable[[str], None]
) -> AsyncIterator[None]:
    """Report at intervals how many images the index has that the block builds."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL_SECONDS)
            async with engine.connect() as connection:
                if count := await connection.scalar(SELECT_INDEXED_COUNT):
                    report(f"  {count:,} images indexed")

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


def _file(start: int, points: NDArray[np.float32], model: ActiveModel) -> io.BytesIO:
    """Return rows in the binary format of COPY, with vectors in that of pgvector."""
    rows = np.zeros(
        len(points),
        [
            ("columns", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">u8", 2),
            ("model_bytes", ">i4"),
            ("model", ">i4"),
            ("vector_bytes", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", model.dimensions),
        ],
    )
    rows["columns"], rows["id_bytes"], rows["model_bytes"], rows["model"] = 3, 16, 4, model.id
    rows["id"][:, 1] = np.arange(start, start + len(points))
    rows["dimensions"], rows["vector_bytes"] = model.dimensions, 4 + 4 * model.dimensions
    rows["vector"] = points
    return io.BytesIO(b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff")
