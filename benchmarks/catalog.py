"""How well and how fast PostgreSQL finds neighbours among 33,256 real CLIP vectors.

``python -m benchmarks.catalog`` loads them into an embedded server and holds every answer of the
catalog against the exact one. Needs ``../shared/data/real-clip``.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import event

from benchmarks import real_clip
from domain.facets import Facet
from domain.filters import ImageFilter
from infra.embedded_postgres import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from benchmarks.real_clip import Library, Neighbours
    from domain.embeddings import Ranking
    from domain.facets import Selection
    from infra.postgres import PostgresCatalog

EVERYTHING = ImageFilter()


async def main() -> None:
    if not real_clip.FOLDER.exists():
        print(f"Passed over: the vectors are not in {real_clip.FOLDER}")
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder) / "large") as url, open_engine(url) as engine:
            await upgrade(engine)
            started = time.perf_counter()
            library = real_clip.large_library()
            catalog = await real_clip.load(engine, library.vectors)
            print(
                f"{len(library.vectors):,} vectors loaded in {time.perf_counter() - started:.1f} s"
            )
            print(
                f"{'queries':8}{'limit':>6}{'exact':>7}{'recall@20':>11}"
                f"{'SQL p50 ms':>12}{'p50 ms':>8}{'p95 ms':>8}"
            )
            for kind, neighbours in (("images", library.images), ("texts", library.texts)):
                for limit in (20, 1000):
                    for exact in (False, True):
                        await report(catalog, neighbours, kind, limit=limit, exact=exact)
            await report_counts(catalog, library)
        async with embedded_postgres(Path(folder) / "small") as url, open_engine(url) as engine:
            await upgrade(engine)
            pictures, captions = real_clip.captioned()
            catalog = await real_clip.load(engine, pictures)
            rankings = [
                await catalog.search(query, EVERYTHING, limit=10) for query in captions.queries
            ]
            for rank in (1, 5, 10):
                found = rank * captions.recall(rankings, at=rank)
                print(f"captions over {len(pictures):,} pictures: R@{rank} {found:.3f}")


async def report_counts(catalog: PostgresCatalog, library: Library) -> None:
    """Count every facet, and for how many pictures each of ten labels is the nearest."""
    points = [query.embedding for query in library.texts.queries[:10]]
    hits = [UUID(int=row) for row in range(0, 33_000, 33)]
    selections: dict[str, Selection] = {"everything": EVERYTHING, "1,000 hits": hits}
    for what, selection in selections.items():
        facets = await median(partial(catalog.facets, selection, dict.fromkeys(Facet, 20)))
        labels = await median(partial(catalog.count_nearest, selection, points))
        print(f"{what:10} four facets {facets:6.1f} ms, ten labels {labels:6.1f} ms", flush=True)


async def median(call: Callable[[], Awaitable[object]], *, times: int = 21) -> float:
    """Return how many milliseconds a call takes."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


class StatementClock:
    """Adds up how long PostgreSQL takes over statements, sending and receiving included."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.milliseconds = 0.0
        self._began = 0.0
        event.listen(engine.sync_engine, "before_cursor_execute", self._begin)
        event.listen(engine.sync_engine, "after_cursor_execute", self._end)

    def _begin(self, *_: object) -> None:
        self._began = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.milliseconds += 1000 * (time.perf_counter() - self._began)


async def report(
    catalog: PostgresCatalog, neighbours: Neighbours, kind: str, *, limit: int, exact: bool
) -> None:
    queries = neighbours.queries[: 200 if exact else None]
    rankings: list[Ranking] = []
    times: list[float] = []
    in_postgres: list[float] = []
    clock = StatementClock(catalog.engine)
    for query in queries:
        started, ran = time.perf_counter(), clock.milliseconds
        rankings.append(await catalog.search(query, EVERYTHING, limit=limit, exact=exact))
        times.append(1000 * (time.perf_counter() - started))
        in_postgres.append(clock.milliseconds - ran)
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    sql = statistics.median(in_postgres)
    recall = neighbours.recall(rankings)
    how = "yes" if rankings[0].exact else "no"
    print(f"{kind:8}{limit:6}{how:>7}{recall:11.4f}{sql:12.2f}{p50:8.2f}{p95:8.2f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
