"""What an import shows while it goes on, and says at its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

import typer
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from domain.entities.external_objects import KeyRange, ObjectChange
from domain.use_cases.imports.summary import ImportSummary
from pictograph.cli.console import err, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.progress import Task

    from domain.entities.external_objects import RefusedObject


class RateColumn(ProgressColumn):
    """How many pictures a second are done."""

    def render(self, task: Task) -> Text:
        """Show it, where it is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} pictures/s", style="progress.data.speed")


class ImportProgress:
    """What was found and what of it is indexed, as a context manager that draws both."""

    def __init__(self, console: Console) -> None:
        """Draw on a console."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._stock = ImportSummary()
        self._task = self._progress.add_task("Listing", total=None)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    @property
    def key_range(self) -> KeyRange:
        """Where all lies that was found so far."""
        return self._stock.key_range

    def found(self, stock: ImportSummary) -> None:
        """Take note of what was found."""
        self._stock = stock
        self._progress.update(self._task, description=f"Listing: {stock.listed:,} found")

    def left(self, waiting: int) -> None:
        """Take note of how much waits."""
        total = max(self._stock.to_index, waiting)
        self._progress.update(self._task, total=total, completed=total - waiting)


def report(stock: ImportSummary, refused_count: int, refused: Sequence[RefusedObject]) -> None:
    """Say what was done, in a line and a table of what is no picture. Ends with status 1 if any."""
    counts = stock.counts
    # Below what a manifest names there may be more that is refused than it names.
    indexed = max(0, stock.to_index - refused_count + counts[ObjectChange.REFUSED])
    out.print(
        f"{stock.listed:,} found: {indexed:,} indexed, {counts[ObjectChange.UNCHANGED]:,} unchanged, "
        f"{counts[ObjectChange.VANISHED]:,} vanished, {refused_count + stock.missing_count:,} refused.",
        soft_wrap=True,
    )
    named = [*stock.missing, *refused]
    more = refused_count + stock.missing_count - len(named)
    if named:
        table = Table("Object", "Reason", title="Refused")
        for each in named:
            table.add_row(Text(each.location, overflow="fold"), Text(each.reason))
        if more:
            table.add_row(f"… and {more:,} more", "")
        err.print(table)
        raise typer.Exit(1)


def report_dry_run(stock: ImportSummary, rate: float | None) -> None:
    """Say what would be done, and about how long that takes."""
    counts = stock.counts
    out.print(
        f"{stock.listed:,} found: {counts[ObjectChange.NEW]:,} new, "
        f"{counts[ObjectChange.CHANGED]:,} changed, {counts[ObjectChange.UNFINISHED]:,} unfinished, "
        f"{counts[ObjectChange.UNCHANGED]:,} unchanged, "
        f"{counts[ObjectChange.VANISHED]:,} vanished, {counts[ObjectChange.REFUSED]:,} refused before.",
        soft_wrap=True,
    )
    if stock.missing_count:
        out.print(f"{stock.missing_count:,} of the manifest are not there.")
    takes = ""
    if rate:
        seconds = timedelta(seconds=max(1, round(stock.to_index / rate)))
        takes = f", about {seconds} at {rate:.1f} pictures/s"
    out.print(
        f"{stock.to_index:,} to index ({decimal(stock.bytes_to_index)}){takes}. "
        "This was a dry run: nothing was changed.",
        soft_wrap=True,
    )
