"""``python -m benchmarks``: the speed of Pictograph beside a plain pipeline and beside its floors.

It takes ten minutes at most, or two with ``--quick`` or BENCH=quick. Load comes from this process,
the servers have processes of their own. Rounds of both servers alternate. The settings of the
environment, such as PICTOGRAPH_DTYPE, apply to Pictograph.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.bench import Bench
from benchmarks.budget import FULL, QUICK
from benchmarks.chart import chart
from benchmarks.encoder_process import CACHE, EncoderProcess
from benchmarks.growth import measure_growth
from benchmarks.library import (
    BareSearch,
    create_database,
    fill,
    migrate,
    settings_of,
    vectors,
)
from benchmarks.photos import cached_photos
from benchmarks.report import Machine, Report, write_into
from benchmarks.stages.encoders import measure_encoders
from benchmarks.stages.imports import measure_imports
from benchmarks.stages.listing import measure_listing
from benchmarks.stages.searches import SearchStage
from benchmarks.stages.starts import measure_starts
from benchmarks.stages.uploads import UploadStage
from benchmarks.systems import run_pictograph, run_plain
from benchmarks.true_size_model import cached_checkpoint
from infra.embedded_postgres.server import embedded_postgres

if TYPE_CHECKING:
    from benchmarks.budget import Budget
    from benchmarks.figures import Figure
    from benchmarks.growth import Growth

GROWTH_COST_EXPONENT = 1.1
"""The time of a size of the library grows with this power of the size."""


async def run(budget: Budget, console: Console) -> Report:
    """Run all stages, and return the report."""
    budget.start()
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with (
        Progress(*columns, console=console, transient=True) as progress,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
    ):
        bar = progress.add_task("checkpoint and pictures", total=budget.seconds)
        checkpoint = await asyncio.to_thread(cached_checkpoint, CACHE / "b32")
        photos = max(budget.rounds * sum(budget.uploads), budget.imported)
        files = await asyncio.to_thread(cached_photos, CACHE / "photos", range(photos))
        bench = Bench(budget, Path(folder), checkpoint, files, progress, bar)
        figures = await _measure_all(bench)
        growth = await _measure_growth(bench)
    return Report(
        Machine.this_one(),
        budget.name,
        budget.library_size,
        budget.seconds - budget.left,
        os.getloadavg()[2],
        tuple(figures),
        tuple(growth),
        tuple(bench.skipped),
    )


async def _measure_all(bench: Bench) -> list[Figure]:
    """Measure everything with one database server."""
    async with embedded_postgres(bench.folder / "postgres") as server:
        figures = await _measure_servers(bench, server)
        if bench.has_time_for("imports"):
            figures += await measure_imports(bench, server)
    for name, measure in (("starts", measure_starts), ("listing", measure_listing)):
        if bench.has_time_for(name):
            figures += await measure(bench)
    return figures


async def _measure_servers(bench: Bench, server: str) -> list[Figure]:
    """Fill a library, and measure both servers over it beside the bare engine."""
    bench.show(f"library of {bench.budget.library_size:,} pictures")
    database = await create_database(server, "library")
    settings = settings_of(database, bench.folder / "data", bench.checkpoint)
    await migrate(settings)
    points = await asyncio.to_thread(vectors, bench.budget.library_size)
    await fill(settings, database, points)
    async with AsyncExitStack() as stack:
        bench.show("the engine alone")
        engine = stack.enter_context(EncoderProcess.start("engine", bench.checkpoint))
        encoders = await _measure_encoders(bench, engine)
        bench.show("both servers start")
        ours = stack.enter_context(run_pictograph(settings))
        plain = stack.enter_context(run_plain(bench.checkpoint, database, bench.folder / "plain"))
        bare = await stack.enter_async_context(BareSearch.connect(database, points[::97]))
        figures = await SearchStage(bench, (ours, plain), engine, bare).measure()
        if bench.has_time_for("uploads"):
            figures += await UploadStage(bench, (ours, plain), engine).measure()
        return [*figures, *encoders]


async def _measure_encoders(bench: Bench, engine: EncoderProcess) -> list[Figure]:
    with (
        EncoderProcess.start("pictograph", bench.checkpoint) as ours,
        EncoderProcess.start("plain", bench.checkpoint) as plain,
    ):
        return await measure_encoders(bench, ours, plain, engine)


async def _measure_growth(bench: Bench) -> list[Growth]:
    """Measure one size after another, while the next one should end in time."""
    rows: list[Growth] = []
    took = 0.0
    for size in bench.budget.growth:
        expected = took * (size / rows[-1].vectors) ** GROWTH_COST_EXPONENT if rows else 0
        if expected > bench.budget.left or bench.budget.left <= 0:
            bench.skipped.append(f"growth to {size:,} vectors")
            break
        began = time.perf_counter()
        rows.append(await measure_growth(size, bench.show))
        took = time.perf_counter() - began
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        default=os.environ.get("BENCH") == "quick",
        help="Two minutes: one short round, and a smaller library.",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="The longest time, for a slow or busy machine."
    )
    parser.add_argument("--json", type=Path, default=CACHE / "report.json", metavar="FILE")
    parser.add_argument("--svg", type=Path, default=CACHE / "report.svg", metavar="FILE")
    parser.add_argument(
        "--into",
        type=Path,
        nargs="*",
        default=(),
        metavar="FILE",
        help="Documents with a place for the tables, such as docs/performance.md.",
    )
    options = parser.parse_args()
    console = Console()
    budget = QUICK if options.quick else FULL
    if options.seconds:
        budget = replace(budget, seconds=options.seconds)
    report = asyncio.run(run(budget, console))
    report.print(console)
    for file, content in ((options.json, report.json()), (options.svg, chart(report.figures))):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        console.print(f"Written: {file}", highlight=False)
    for document in options.into:
        write_into(document, report.markdown())


if __name__ == "__main__":
    main()
