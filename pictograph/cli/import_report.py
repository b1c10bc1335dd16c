"""Progress and report of an import."""

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

from domain.entities.external_objects import ImportCounts, KeyRange, ObjectChange
from domain.use_cases.imports.forget_missing import MissingReport
from domain.use_cases.imports.summary import ImportSummary
from infra.locations import FILE_SCHEME, path_of
from pictograph.cli.console import err, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.progress import Task

    from domain.entities.external_objects import RefusedObject


NOTHING_MISSING = MissingReport()


class RateColumn(ProgressColumn):
    """Pictures per second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} pictures/s", style="progress.data.speed")


class ImportProgress:
    """Draws the progress of listing and indexing while it is entered."""

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
        self._summary = ImportSummary()
        self._task = self._progress.add_task("Listing", total=None)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing. The last state stays on the screen."""
        self._progress.stop()

    @property
    def key_range(self) -> KeyRange:
        """The range of all locations found so far."""
        return self._summary.key_range

    def found(self, summary: ImportSummary) -> None:
        """Show how much the listing has found."""
        self._summary = summary
        self._progress.update(self._task, description=f"Listing: {summary.listed:,} found")

    def left(self, waiting: int) -> None:
        """Show how many objects are still to be indexed."""
        total = max(self._summary.to_index, waiting)
        self._progress.update(self._task, total=total, completed=total - waiting)


def report(
    summary: ImportSummary,
    became: ImportCounts,
    refused_count: int,
    refused: Sequence[RefusedObject],
    *,
    missing: MissingReport = NOTHING_MISSING,
) -> None:
    """Print the counts, and a table of refused objects and folders. Exits with 1 if there are any.

    The counts of refused objects are those of the whole range, and so may exceed a manifest's.
    """
    counts = summary.counts
    to_index = max(0, summary.to_index - refused_count + counts[ObjectChange.REFUSED])
    unchanged = counts[ObjectChange.UNCHANGED] + counts[ObjectChange.RETURNED]
    out.print(
        f"{summary.listed:,} found: {max(0, to_index - became.recognised):,} indexed, "
        f"{unchanged:,} unchanged, "
        f"{became.recognised:,} moved, copied or touched; "
        f"{became.missing:,} missing, "
        f"{refused_count + summary.missing_count:,} refused.",
        soft_wrap=True,
    )
    if summary.link_count:
        names = ", ".join(map(_shown, summary.links))
        rest = ", …" if summary.link_count > len(summary.links) else ""
        out.print(
            f"{summary.link_count:,} links to folders or to files elsewhere were not followed "
            f"({names}{rest}); import what they point to by its own path.",
            soft_wrap=True,
            markup=False,
        )
    if became.unlisted:
        out.print(
            f"{became.unlisted:,} pictures are kept, although their folders are empty or cannot be "
            "read.",
            soft_wrap=True,
        )
    if missing.trashed:
        out.print(
            f"{missing.trashed:,} pictures were moved into the trash, because their files are "
            "missing. They come back with their files.",
            soft_wrap=True,
        )
    if missing.forgotten:
        out.print(f"{missing.forgotten:,} pictures were missing for too long, and were forgotten.")
    shown = [*summary.unlisted, *summary.missing, *refused]
    more = summary.unlisted_count + summary.missing_count + refused_count - len(shown)
    if shown:
        table = Table("Object or folder", "Reason", title="Refused")
        for each in shown:
            table.add_row(Text(each.location, overflow="fold"), Text(each.reason))
        if more:
            table.add_row(f"… and {more:,} more", "")
        err.print(table)
        raise typer.Exit(1)


def _shown(location: str) -> str:
    return str(path_of(location)) if location.startswith(FILE_SCHEME) else location


def report_dry_run(summary: ImportSummary, rate: float | None) -> None:
    """Print what an import would do, and an estimate of its duration."""
    counts = summary.counts
    out.print(
        f"{summary.listed:,} found: {counts[ObjectChange.NEW]:,} new, "
        f"{counts[ObjectChange.CHANGED]:,} changed, "
        f"{counts[ObjectChange.UNFINISHED]:,} unfinished, "
        f"{counts[ObjectChange.UNCHANGED] + counts[ObjectChange.RETURNED]:,} unchanged, "
        f"{counts[ObjectChange.VANISHED]:,} gone from their place, "
        f"{counts[ObjectChange.REFUSED]:,} refused before.",
        soft_wrap=True,
    )
    if counts[ObjectChange.UNLISTED]:
        out.print(f"{counts[ObjectChange.UNLISTED]:,} in folders that are empty or unreadable.")
    if summary.missing_count:
        out.print(f"{summary.missing_count:,} objects of the manifest do not exist.")
    duration = ""
    if rate:
        seconds = timedelta(seconds=max(1, round(summary.to_index / rate)))
        duration = f", about {seconds} at {rate:.1f} pictures/s"
    out.print(
        f"{summary.to_index:,} to index ({decimal(summary.bytes_to_index)}){duration}. "
        "This was a dry run: nothing was changed.",
        soft_wrap=True,
    )
