"""How well and how fast searches answer, each beside an exact one over the same images.

``python -m benchmarks.search`` loads 33,256 real CLIP vectors into an embedded server, and is done
in two or three minutes; ``--large`` goes on with 200,000 that are made of them, whose index alone
takes seven minutes of processors. Needs ``../shared/data/real-clip``.
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
from benchmarks.questions import Asker
from domain.entities.embeddings import QueryKind
from domain.entities.filters import EVERYTHING, ImageFilter
from domain.entities.searches import MAX_SEARCH_DEPTH
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.questions import Ask

T = TypeVar("T")

LARGE = 200_000
QUESTIONS = 60
QUESTIONS_OF_LARGE = 20
"""Fewer, as an exact answer takes six times as long."""
WARM = 3
SELECTIVITIES = {"half": "50 %", "tenth": "10 %", "hundredth": "1 %", "thousandth": "0.1 %"}
HEAD = (
    f"{'search':12}{'by':9}{'hits':>6}{'walked':>8}{'recall@20':>11}{'p50 ms':>9}{'p95 ms':>9}"
    f"{'exact ms':>10}{'ratio':>7}"
)


async def main() -> None:
    if not real_clip.FOLDER.exists():
        print(f"Passed over: the vectors are not in {real_clip.FOLDER}")
        return
    points = real_clip.large_library().vectors
    await measure_library(f"{len(points):,} real vectors", points, questions=QUESTIONS)
    if "--large" in sys.argv:
        points = real_clip.enlarged(points, LARGE)
        name = f"{LARGE:,} made of them"
        await measure_library(name, points, questions=QUESTIONS_OF_LARGE)


async def measure_library(name: str, points: NDArray[np.float32], *, questions: int) -> None:
    """Load a library and measure every kind of search there."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder) / "postgres") as url, open_engine(url) as engine:
            await upgrade(engine)
            began = time.perf_counter()
            catalog = await load(engine, points, say=say)
            say(f"\n{name}, loaded and indexed in {time.perf_counter() - began:.0f} s\n{HEAD}")
            asker = Asker.over(catalog)
            for search in searches(asker):
                say(await measured(search, questions))
            await report_depth(asker, questions)


@dataclass(frozen=True, slots=True)
class Search:
    """A line of the table."""

    name: str
    by: str
    hits: int
    ask: Ask


def searches(asker: Asker) -> Iterator[Search]:
    """Yield every kind of search: plain, filtered, blended and faceted."""
    every = {"plain": EVERYTHING} | {
        share: ImageFilter(tags_any=(tag,)) for tag, share in SELECTIVITIES.items()
    }
    for name, criteria in every.items():
        for kind in (QueryKind.IMAGE, QueryKind.TEXT):
            for hits in (20, MAX_SEARCH_DEPTH):
                yield Search(name, kind.value, hits, asker.plain(kind, criteria, hits))
    for hits in (20, MAX_SEARCH_DEPTH):
        yield Search("blended", "texts", hits, asker.blended(hits))
    for kind in (QueryKind.IMAGE, QueryKind.TEXT):
        yield Search("faceted", kind.value, MAX_SEARCH_DEPTH, asker.faceted(kind))


async def measured(search: Search, questions: int) -> str:
    """Ask each question twice, once exactly, one after the other: other work slows both alike.

    They take turns at being first, as whoever is second finds the question's images in memory.
    """
    for number in range(WARM):
        await search.ask(number, exact=False)
        await search.ask(number, exact=True)
    took: list[float] = []
    took_exactly: list[float] = []
    recalls: list[float] = []
    walked = 0
    for number in range(questions):
        asked = {}
        for exact in (False, True) if number % 2 else (True, False):
            asked[exact] = await timed(search.ask(number, exact=exact))
        (found, milliseconds), (truth, exactly) = asked[False], asked[True]
        took.append(milliseconds)
        took_exactly.append(exactly)
        walked += not found.exact
        nearest = {hit.image_id for hit in truth.hits[:20]}
        recalls.append(len(nearest & {hit.image_id for hit in found.hits[:20]}) / len(nearest))
        assert len(found.hits) == len(truth.hits)  # noqa: S101 - a short page would be quick
    ratio = statistics.median(map(float.__truediv__, took, took_exactly))
    return (
        f"{search.name:12}{search.by:9}{search.hits:6,}{walked / questions:8.0%}"
        f"{statistics.mean(recalls):11.3f}{statistics.median(took):9.1f}{late(took):9.1f}"
        f"{statistics.median(took_exactly):10.1f}{ratio:7.2f}"
    )


async def report_depth(asker: Asker, questions: int) -> None:
    """Measure pages of kept searches, with all that is done for them but encoding."""
    firsts, lasts = [], []
    for number in range(questions):
        page, first = await timed(asker.page(number, after=None))
        _, last = await timed(asker.page(number, after=page.search_id))
        firsts.append(first)
        lasts.append(last)
    ratio = statistics.median(map(float.__truediv__, lasts, firsts))
    for name, took in (("first page", firsts), ("hits 981-1,000", lasts)):
        say(f"{name:46}{statistics.median(took):9.1f}{late(took):9.1f}")
    say(f"{'the deep page to the first':65}{ratio:7.2f}")


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """Return what comes of work, and the milliseconds that it takes."""
    began = time.perf_counter()
    done = await work
    return done, 1_000 * (time.perf_counter() - began)


def late(took: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(took, n=20)[-1]


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
