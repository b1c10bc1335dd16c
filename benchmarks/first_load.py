"""Vectors a second of a first load: into an index, and without one that is built at the end.

``python -m benchmarks.first_load`` stores 25,000 vectors twice, in batches of 64 as a worker does:
by a statement for each into an index, and by one statement for each batch with the index at the
end. Both run in the same process and take turns, so that other work on the machine slows both.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from pgvector import Vector
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from benchmarks.bulk import INSERT_IMAGES
from benchmarks.library import create_database, vectors
from domain.entities.embeddings import EmbeddingModel
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.tables import EmbeddingRow
from infra.postgres.vectors.insertion import insert_embeddings
from tests.postgres_library import activate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.postgres.models.active import ActiveModel

VECTORS = 25_000
BATCH = 64
MODEL = EmbeddingModel("first load", 512)


@dataclass(slots=True)
class Load:
    """A library that is loaded, and how long that took so far."""

    engine: AsyncEngine
    model: ActiveModel
    defers_index: bool
    seconds: float = 0.0

    @classmethod
    async def open(cls, engine: AsyncEngine, count: int, *, defers_index: bool) -> Load:
        """Insert the rows of the images, which are the same for both."""
        model = await activate(engine, MODEL)
        async with engine.begin() as connection:
            if defers_index:
                await connection.execute(text(f"DROP INDEX {model.index}"))
            await connection.execute(INSERT_IMAGES, {"last": count - 1})
        return cls(engine, model, defers_index)

    async def add(self, ids: Sequence[UUID], embeddings: Sequence[Sequence[float]]) -> None:
        """Store a batch in a transaction."""
        began = time.perf_counter()
        async with self.engine.begin() as connection:
            if self.defers_index:
                await connection.execute(*insert_embeddings(self.model, ids, embeddings))
            else:
                rows = [
                    {"image_id": id_, "model_id": self.model.id, "embedding": Vector(list(each))}
                    for id_, each in zip(ids, embeddings, strict=True)
                ]
                table = EmbeddingRow.metadata.tables["embeddings"]
                await connection.execute(insert(table).on_conflict_do_nothing(), rows)
        self.seconds += time.perf_counter() - began

    async def finish(self) -> float:
        """Build the index if it is missing, and return how long that took."""
        began = time.perf_counter()
        async with PostgresModelChanges(self.engine).backfill(self.model.id) as backfill:
            assert backfill  # noqa: S101 - no other process
            await backfill.build_index()
        took = time.perf_counter() - began
        self.seconds += took
        return took


async def measure(count: int, show: Callable[[str], None]) -> tuple[float, float, float]:
    """Return the seconds of both loads, and those of the build at the end of the second."""
    points = vectors(count).tolist()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        server = await stack.enter_async_context(embedded_postgres(Path(folder) / "postgres"))
        loads = []
        for name, defers_index in (("before", False), ("after", True)):
            url = await create_database(server, name)
            engine = await stack.enter_async_context(open_engine(url))
            await upgrade(engine)
            loads.append(await Load.open(engine, len(points), defers_index=defers_index))
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            ids = [UUID(int=start + number) for number in range(len(batch))]
            show(f"{start:,} of {len(points):,} vectors stored")
            for load in loads:
                await load.add(ids, batch)
        before, after = loads
        show("the index is built")
        return before.seconds, after.seconds, await after.finish()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_load", description=__doc__)
    parser.add_argument("--vectors", type=int, default=VECTORS)
    options = parser.parse_args()
    console = Console()
    with console.status("loading") as status:
        before, stored, build = asyncio.run(measure(options.vectors, status.update))
    after = stored + build
    count = options.vectors
    console.print(f"{count:,} vectors into an index: {count / before:,.0f}/s")
    console.print(f"with the index at the end: {count / after:,.0f}/s, {before / after:.1f} times")
    console.print(f"  stored at {count / stored:,.0f}/s, index built in {build:.0f} s")


if __name__ == "__main__":
    main()
