"""How searches, memory and builds grow with the library.

``python -m benchmarks.growth --sizes 10000,100000,1000000`` measures so many synthetic vectors with
the geometry of CLIP's. It loads each size into an embedded PostgreSQL of its own, builds
Pictograph's index, and widens the index scan until recall@20 is .98. At the end the sizes are
searched in turns, so that other work on the machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.bench import median
from benchmarks.bulk import build, store
from benchmarks.clip_vectors import ClipGeometry
from benchmarks.library import BareSearch, vector_index
from domain.entities.embeddings import EmbeddingModel
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncEngine

SIZES = (10_000, 100_000)
MODEL = EmbeddingModel("synthetic", 512)
QUERIES = 200
HITS = 20
RECALL = 0.98
WIDTHS = (40, 60, 80, 100, 140, 200, 280, 400, 560, 800, 1_000)
"""The values of hnsw.ef_search that are tried, the smallest first."""

ADDED_VECTORS = 50
POINTS_PER_CHUNK = 10_000

INSERT_IMAGE = text("""
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, width,
        height, tags)
    VALUES (:id, :sha256, 'added.jpg', 'image/jpeg', 1, now(), 'ready', 640, 480, '{}')
""")
INSERT_EMBEDDING = text("""
    INSERT INTO embeddings (image_id, model_id, embedding)
    SELECT :id, model_id, embedding FROM embeddings WHERE image_id = :source
""")
SELECT_BYTES = text("SELECT pg_total_relation_size(CAST(:table AS regclass))")


@dataclass(frozen=True, slots=True)
class Growth:
    """The figures of one size of the library."""

    vectors: int
    search_milliseconds: float
    """The median of an index scan at ``width``."""
    width: int
    """The smallest tried hnsw.ef_search whose recall@20 is .98, or the largest."""
    recall: float
    bytes_a_vector: float
    """Of the table and its indexes."""
    load_seconds: float
    """For the rows and the vectors."""
    build_seconds: float
    """For the index."""
    add_milliseconds: float
    """The median of adding an image with its vector."""


async def measure_growth(size: int, show: Callable[[str], None] = lambda _: None) -> Growth:
    """Measure a library of this size in a database server of its own."""
    async with _server() as url:
        return await measure_in(url, size, show)


async def measure_together(
    sizes: Sequence[int], show: Callable[[str], None] = lambda _: None
) -> list[Growth]:
    """Measure libraries of all sizes, and then search them in turns."""
    async with AsyncExitStack() as stack:
        rows, searches = [], []
        for size in sizes:
            url = await stack.enter_async_context(_server())
            rows.append(await measure_in(url, size, show))
            queries = await asyncio.to_thread(ClipGeometry(size).text_vectors, QUERIES)
            search = await stack.enter_async_context(BareSearch.connect(url, queries))
            await search.connection.execute(f"SET hnsw.ef_search = {rows[-1].width}")
            searches.append(search)
        show("growth: searches of all sizes in turns")
        latencies: list[list[float]] = [[] for _ in sizes]
        for number in range(QUERIES):
            for search, times in zip(searches, latencies, strict=True):
                began = time.perf_counter()
                await search.run(number)
                times.append(1_000 * (time.perf_counter() - began))
    return [
        replace(row, search_milliseconds=median(times))
        for row, times in zip(rows, latencies, strict=True)
    ]


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    """Start a database server with an empty library."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder) / "postgres") as url:
            async with open_engine(url) as engine:
                await upgrade(engine)
            yield url


async def measure_in(url: str, size: int, show: Callable[[str], None] = lambda _: None) -> Growth:
    """Measure a library of this size in an empty database."""
    show(f"growth: {size:,} vectors are made")
    points, queries = await asyncio.to_thread(_vectors, size)
    async with open_engine(url) as engine:
        show(f"growth: {size:,} vectors are loaded")
        began = time.perf_counter()
        library = await store(engine, points, model=MODEL)
        loaded = time.perf_counter()
        show(f"growth: {size:,} vectors are indexed")
        await build(library, lambda line: show(f"growth: {line.strip()}"))
        built = time.perf_counter()
        show(f"growth: searches among {size:,} vectors")
        async with BareSearch.connect(url, queries) as bare:
            milliseconds, width, recall = await _search(bare, _nearest(points, queries))
        show(f"growth: additions to {size:,} vectors")
        size_in_bytes = await _bytes_of_vectors(engine)
        added = await _add(engine, size)
    return Growth(
        size,
        milliseconds,
        width,
        recall,
        bytes_a_vector=size_in_bytes / size,
        load_seconds=loaded - began,
        build_seconds=built - loaded,
        add_milliseconds=added,
    )


def growth_table(rows: Iterable[Growth]) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the table of growth."""
    head = ["vectors", "search p50", "recall@20", "ef_search", "bytes a vector"]
    head += ["load", "index", "add"]
    return head, [
        [
            f"{row.vectors:,}",
            f"{row.search_milliseconds:.2f} ms",
            f"{row.recall:.3f}",
            f"{row.width}",
            f"{row.bytes_a_vector:,.0f}",
            f"{row.load_seconds:.0f} s",
            f"{row.build_seconds:.0f} s",
            f"{row.add_milliseconds:.1f} ms",
        ]
        for row in rows
    ]


def _vectors(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the vectors of pictures and of the texts that are searched for."""
    geometry = ClipGeometry(size)
    points = [
        geometry.picture_vectors(start, min(start + POINTS_PER_CHUNK, size))
        for start in range(0, size, POINTS_PER_CHUNK)
    ]
    return np.concatenate(points), geometry.text_vectors(QUERIES)


def _nearest(points: NDArray[np.float32], queries: NDArray[np.float32]) -> list[frozenset[int]]:
    """Return the rows of the nearest points of each query, by comparison with all."""
    scores = queries @ points.T
    rows = np.argpartition(-scores, HITS, axis=1)[:, :HITS]
    return [frozenset(map(int, row)) for row in rows]


async def _search(bare: BareSearch, truth: list[frozenset[int]]) -> tuple[float, int, float]:
    """Return the median milliseconds, the width and the recall of the first width that suffices."""
    for width in WIDTHS:
        await bare.connection.execute(f"SET hnsw.ef_search = {width}")
        latencies, found = [], 0
        for number, nearest in enumerate(truth):
            began = time.perf_counter()
            ids = await bare.run(number)
            latencies.append(1_000 * (time.perf_counter() - began))
            found += len(nearest & {each.int for each in ids})
        recall = found / (HITS * len(truth))
        if recall >= RECALL:
            break
    return median(latencies), width, recall


async def _bytes_of_vectors(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        table = (await vector_index(connection)).table
        return int(await connection.scalar(SELECT_BYTES, {"table": table}) or 0)


async def _add(engine: AsyncEngine, size: int) -> float:
    """Add images with copies of vectors, each in a transaction; return the median milliseconds."""
    latencies = []
    for number in range(ADDED_VECTORS):
        image_id, source = UUID(int=size + number), UUID(int=number)
        began = time.perf_counter()
        async with engine.begin() as connection:
            sha256 = f"{image_id.int:064x}"
            await connection.execute(INSERT_IMAGE, {"id": image_id, "sha256": sha256})
            await connection.execute(INSERT_EMBEDDING, {"id": image_id, "source": source})
        latencies.append(1_000 * (time.perf_counter() - began))
    return median(latencies)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), metavar="N,N,...")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    console = Console()
    with console.status("growth") as status:
        rows = asyncio.run(measure_together(sizes, status.update))
    head, lines = growth_table(rows)
    table = Table(*head, title=f"Growth, on {os.cpu_count()} cores")
    for line in lines:
        table.add_row(*line)
    console.print(table)
    growth = rows[-1].search_milliseconds / rows[0].search_milliseconds
    console.print(f"From {sizes[0]:,} to {sizes[-1]:,} vectors, a search takes {growth:.2f} times.")


if __name__ == "__main__":
    main()
