"""Fills a catalog in bulk, by COPY: 200,000 images in less than half a minute, index apart."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from benchmarks.real_clip import MODEL
from infra.postgres.models.partitions import create_index
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.postgres.models.active import ActiveModel

AT_ONCE = 10_000
REPORT = 20.0  # seconds between two lines about a long wait
DONE = text("SELECT tuples_done FROM pg_stat_progress_create_index")

# Row n is the image whose id is the number n. Tags, times, cameras and places are of every
# selectivity, and none says anything about the picture.
IMAGES = text("""
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, width,
        height, alt_text, tags, taken_at, camera_make, camera_model, latitude, longitude)
    SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n), 64, '0'), n || '.jpg', 'image/jpeg', n,
        now(), 'ready', 640, 480, CASE WHEN n % 10 = 1 THEN 'a red boat' ELSE 'a photo' END,
        array_remove(ARRAY[CASE WHEN n % 2 = 0 THEN 'half' END,
            CASE WHEN n % 100 = 0 THEN 'hundredth' END, CASE WHEN n % 10 = 0 THEN 'tenth' END,
            CASE WHEN n % 1000 = 0 THEN 'thousandth' END], NULL),
        '2020-01-01'::timestamptz + n::bigint * 7919 % 100000 * interval '1 minute',
        'Maker ' || n % 7, 'Camera ' || n % 20,
        n::bigint * 104729 % 18000 / 100.0 - 90, n::bigint * 15485863 % 36000 / 100.0 - 180
    FROM generate_series(0, :last) AS n
""")


async def load(
    engine: AsyncEngine, points: NDArray[np.float32], say: Callable[[str], None] = lambda _: None
) -> PostgresLibrary:
    """Open a catalog and fill it, saying how far it is.

    The index is built at the end, as PostgreSQL advises for bulk loads, by as many processes as
    the server grants.
    """
    catalog = await PostgresLibrary.open(engine, MODEL)
    model = catalog.model
    assert model is not None  # noqa: S101 - just opened with one
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP INDEX IF EXISTS {model.partition}_hnsw"))
        await connection.execute(IMAGES, {"last": len(points) - 1})
        # Any: asyncpg ships no types.
        driver: Any = (await connection.get_raw_connection()).driver_connection
        for start in range(0, len(points), AT_ONCE):
            await driver.copy_to_table(
                "embeddings",
                source=_file(start, points[start : start + AT_ONCE], model),
                columns=["image_id", "model_id", "embedding"],
                format="binary",
            )
    say(f"{len(points):,} images are in; making their index")
    async with watched_index(engine, say), engine.begin() as connection:
        await connection.execute(text(create_index(model.id, model.dimensions)))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
    return catalog


@asynccontextmanager
async def watched_index(engine: AsyncEngine, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Say now and then how many images are in the index that the block makes."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(REPORT)
            async with engine.connect() as connection:
                if done := await connection.scalar(DONE):
                    say(f"  {done:,} of them are in it")

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


def _file(start: int, points: NDArray[np.float32], model: ActiveModel) -> io.BytesIO:
    """Return rows in the binary format of PostgreSQL's COPY, vectors as pgvector sends them."""
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
