"""``python -m benchmarks.work``: the rate of leases and completions with concurrent workers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade
from infra.postgres.work.leases import Leases
from tests.postgres_library import activate

ROWS = 200_000
WORKERS = 4
BATCH_SIZES = (64, 1_000)

INSERT_WORK = text("""
    INSERT INTO work (model_id, image_id)
    SELECT :model, lpad(to_hex(n), 32, '0')::uuid FROM generate_series(1, :rows) AS n
""")


async def drain(leases: Leases, batch_size: int) -> int:
    """Lease and complete rows until the queue is empty, and return their number."""
    count = 0
    while True:
        lease, taken = await leases.acquire(batch_size, seconds=60)
        if not taken:
            return count
        ids = [row.image_id for row in taken]
        async with leases.engine.begin() as connection:
            count += len(await leases.delete(connection, ids, [lease] * len(ids)))


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            embedded_postgres(Path(folder) / "postgres") as url,
            open_engine(url) as engine,
        ):
            await upgrade(engine)
            model = await activate(engine, EmbeddingModel("benchmarks", 3))
            leases = Leases(engine, model.id)
            for batch_size in BATCH_SIZES:
                async with engine.begin() as connection:
                    await connection.execute(INSERT_WORK, {"model": model.id, "rows": ROWS})
                began = time.perf_counter()
                done = sum(
                    await asyncio.gather(*(drain(leases, batch_size) for _ in range(WORKERS)))
                )
                seconds = time.perf_counter() - began
                assert done == ROWS  # noqa: S101 - each row is completed exactly once
                print(
                    f"{WORKERS} workers, {batch_size:,} rows per lease: {ROWS / seconds:,.0f} "
                    "leases and completions per second"
                )


asyncio.run(main())
