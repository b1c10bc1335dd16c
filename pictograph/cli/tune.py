"""The command that chooses the parameters of index scans for a library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.entities.scans import DEFAULT_TARGET_RECALL
from domain.errors import Misconfigured
from domain.use_cases.search.tune import DEFAULT_QUERIES
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.libraries import open_pictograph
from pictograph.cli.recall_chart import recall_chart
from pictograph.cli.tuning_tables import curve_tables, scan_table

if TYPE_CHECKING:
    from domain.use_cases.search.tune import TuneScans, TuningReport
    from infra.settings import Settings


def tune(  # noqa: PLR0913, PLR0917 - each is an option
    recall: Annotated[
        float, typer.Option(help="Share of the 20 nearest images that searches have to find.")
    ] = DEFAULT_TARGET_RECALL,
    queries: Annotated[
        int, typer.Option(help="Queries of each kind: half to choose by, half to check with.")
    ] = DEFAULT_QUERIES,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print recall and time of everything that was tried.")
    ] = False,
    chart: Annotated[
        Path | None, typer.Option(help="Write a chart of recall against time, as SVG.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, and change nothing.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go back to the default parameters.")
    ] = False,
) -> None:
    """Measure searches of this library, and choose the fastest that find enough."""
    settings = settings_of()
    if reset:
        if dry_run:
            raise Misconfigured("--reset measures nothing; leave out --reset or --dry-run.")
        run(_reset(settings))
        out.print("Searches use the default parameters.")
        return
    report = run(_tune(settings, recall, queries, store=not dry_run))
    if explain:
        for table in curve_tables(report):
            out.print(table)
    out.print(scan_table(report))
    out.print(_summary(report, stored=not dry_run), soft_wrap=True)
    if chart:
        chart.write_text(recall_chart(report), "utf-8")
        out.print(f"The chart is in {chart}.", markup=False, soft_wrap=True)


async def _tune(settings: Settings, recall: float, queries: int, *, store: bool) -> TuningReport:
    with err.status("Loading the model") as status:
        async with open_pictograph(settings) as pictograph:
            status.stop()
            return await _measure(pictograph.use_cases.tune, recall, queries, store=store)


async def _measure(tuning: TuneScans, recall: float, queries: int, *, store: bool) -> TuningReport:
    columns = TextColumn("Measuring searches"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        return await tuning(
            target_recall=recall,
            queries=queries,
            store=store,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


async def _reset(settings: Settings) -> None:
    async with open_pictograph(settings) as pictograph:
        await pictograph.use_cases.tune.reset()


def _summary(report: TuningReport, *, stored: bool) -> str:
    """Return what the measurement means, and what happens with it."""
    reached = (
        f"Every kind of search reaches a recall of {report.target_recall:g} on queries that were "
        "held out."
        if report.reaches_target
        else "Some recalls, in yellow, are below the target on queries that were held out: ask for "
        "a higher --recall, or measure with more --queries."
    )
    effect = (
        "Running servers use the parameters from now on; `pictograph tune --reset` takes them back."
        if stored
        else "Nothing was changed."
    )
    return f"{reached}\n{effect}"
