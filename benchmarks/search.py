"""Recall and latency of searches, compared with exact searches over the same images.

``python -m benchmarks.search`` loads 33,256 real CLIP vectors into an embedded server, and takes
two or three minutes. ``--large`` continues with 200,000 vectors that are made from them, whose
index takes seven minutes of CPU time. Needs ``../shared/data/real-clip``.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmarks import real_clip
from benchmarks.bulk import load
from benchmarks.query_runner import QueryRunner
from domain.entities.embeddings import QueryKind
from domain.entities.filters import EVERYTHING, ImageFilter
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchDepth
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.query_runner import RunQuery

T = TypeVar("T")

LARGE_LIBRARY_SIZE = 200_000
QUERIES = 60
LARGE_LIBRARY_QUERIES = 20
"""Fewer, since an exact search takes six times as long."""

WARM_UP_QUERIES = 3
SELECTIVITIES = {"half": "50 %", "tenth": "10 %", "hundredth": "1 %", "thousandth": "0.1 %"}
TABLE_HEAD = (
    f"{'search':12}{'by':9}{'hits':>6}{'index':>8}{'recall@20':>11}{'p50 ms':>9}{'p95 ms':>9}"
    f"{'exact ms':>10}{'ratio':>7}"
)


async def main() -> None:
    if not real_clip.FOLDER.exists():
        print(f"Skipped: the vectors are not in {real_clip.FOLDER}")
        return
    points = real_clip.large_library().vectors
    await measure_library(f"{len(points):,} real vectors", points, queries=QUERIES)
    if "--large" in sys.argv:
        points = real_clip.enlarged(points, LARGE_LIBRARY_SIZE)
        name = f"{LARGE_LIBRARY_SIZE:,} made from them"
        await measure_library(name, points, queries=LARGE_LIBRARY_QUERIES)


async def measure_library(name: str, points: NDArray[np.float32], *, queries: int) -> None:
    """Load a library and measure every kind of search in it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder) / "postgres") as url, open_engine(url) as engine:
            await upgrade(engine)
            began = time.perf_counter()
            catalog = await load(engine, points, report=report)
            report(
                f"\n{name}, loaded and indexed in {time.perf_counter() - began:.0f} s\n{TABLE_HEAD}"
            )
            runner = QueryRunner.over(catalog)
            for search in searches(runner):
                report(await measured(search, queries))
            await report_depth(runner, queries)


@dataclass(frozen=True, slots=True)
class Search:
    """A line of the table."""

    name: str
    by: str
    hits: int
    run: RunQuery


def searches(runner: QueryRunner) -> Iterator[Search]:
    """Yield every kind of search: plain, filtered, blended and faceted."""
    every = {"plain": EVERYTHING} | {
        share: ImageFilter(tags_any=(tag,)) for tag, share in SELECTIVITIES.items()
    }
    for name, criteria in every.items():
        for kind in (QueryKind.IMAGE, QueryKind.TEXT):
            for hits in (20, MAX_SEARCH_DEPTH):
                yield Search(name, kind.value, hits, runner.plain(kind, criteria, hits))
    for hits in (20, MAX_SEARCH_DEPTH):
        yield Search("blended", "texts", hits, runner.blended(hits))
    for kind in (QueryKind.IMAGE, QueryKind.TEXT):
        yield Search("faceted", kind.value, MAX_SEARCH_DEPTH, runner.faceted(kind))


async def measured(search: Search, queries: int) -> str:
    """Run each query as usual and exactly, and return a line of the table.

    The two run one after the other, so that other load slows both. They alternate in order, since
    the second finds the images of the query in memory.
    """
    for number in range(WARM_UP_QUERIES):
        await search.run(number, exact=False)
        await search.run(number, exact=True)
    latencies: list[float] = []
    exact_latencies: list[float] = []
    recalls: list[float] = []
    from_index = 0
    for number in range(queries):
        results = {}
        for exact in (False, True) if number % 2 else (True, False):
            results[exact] = await timed(search.run(number, exact=exact))
        (found, milliseconds), (truth, exact_milliseconds) = results[False], results[True]
        latencies.append(milliseconds)
        exact_latencies.append(exact_milliseconds)
        from_index += not found.exact
        nearest = {hit.image_id for hit in truth.hits[:20]}
        recalls.append(len(nearest & {hit.image_id for hit in found.hits[:20]}) / len(nearest))
        assert len(found.hits) == len(truth.hits)  # noqa: S101 - a short page would be fast
    ratio = statistics.median(map(float.__truediv__, latencies, exact_latencies))
    return (
        f"{search.name:12}{search.by:9}{search.hits:6,}{from_index / queries:8.0%}"
        f"{statistics.mean(recalls):11.3f}{statistics.median(latencies):9.1f}{p95(latencies):9.1f}"
        f"{statistics.median(exact_latencies):10.1f}{ratio:7.2f}"
    )


async def report_depth(runner: QueryRunner, queries: int) -> None:
    """Measure the first and the last page of searches, without encoding."""
    firsts, lasts = [], []
    for number in range(queries):
        _, first = await timed(runner.page(number))
        whole = await runner.page(number, depth=SearchDepth.ALL)
        after = next(whole.search.cursors(MAX_SEARCH_DEPTH - 21))
        _, last = await timed(runner.page(number, after=after))
        firsts.append(first)
        lasts.append(last)
    ratio = statistics.median(map(float.__truediv__, lasts, firsts))
    for name, latencies in (("first page", firsts), ("hits 981-1,000", lasts)):
        report(f"{name:46}{statistics.median(latencies):9.1f}{p95(latencies):9.1f}")
    report(f"{'last page / first page':65}{ratio:7.2f}")


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """Return the result of an awaitable, and its milliseconds."""
    began = time.perf_counter()
    result = await work
    return result, 1_000 * (time.perf_counter() - began)


def p95(latencies: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(latencies, n=20)[-1]


def report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
