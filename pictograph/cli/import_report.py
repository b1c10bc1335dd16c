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
from rich.text import Text

from domain.entities.external_objects import ImportCounts, KeyRange, ObjectChange
from domain.use_cases.imports.forget_missing import MissingReport
from domain.use_cases.imports.summary import ImportSummary
from pictograph.cli.console import err, out
from pictograph.cli.tables import print_refused

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.progress import Task

    from domain.entities.external_objects import RefusedObject
    from domain.entities.passed_over import PassedOver


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


def report(  # noqa: PLR0913 - each is a part of the report
    summary: ImportSummary,
    became: ImportCounts,
    refused_count: int,
    refused: Sequence[RefusedObject],
    *,
    missing: MissingReport = NOTHING_MISSING,
    place: str = "",
    shown: Callable[[str], str] = str,
) -> None:
    """Print the counts, and a table of refused objects and folders. Exits with 1 if there are any.

    ``refused`` are those of this import: an object that was refused before, and has not changed, is
    only counted. ``shown`` returns a location as the user wrote it, and ``place`` is what was
    imported.
    """
    counts = summary.counts
    refused_before = counts[ObjectChange.REFUSED]
    unchanged = counts[ObjectChange.UNCHANGED] + counts[ObjectChange.RETURNED]
    _print(
        f"{summary.listed:,} found: "
        f"{max(0, summary.to_index - refused_count - became.recognised):,} indexed, "
        f"{unchanged:,} unchanged, "
        f"{became.recognised:,} moved, copied or touched; "
        f"{became.missing:,} missing, "
        f"{refused_count + refused_before + summary.missing_count:,} refused."
    )
    if summary.link_count:
        names = ", ".join(map(shown, summary.links))
        rest = ", …" if summary.link_count > len(summary.links) else ""
        _print(
            f"{summary.link_count:,} links to folders or to files elsewhere were not followed "
            f"({names}{rest}); import what they point to by its own path."
        )
    if became.duplicates:
        _print(f"Duplicates of pictures that the library has already: {became.duplicates:,}.")
    _report_passed_over(summary, place)
    if refused_before:
        _print(
            f"Refused by an earlier import, and unchanged since: {refused_before:,}. --retry tries "
            "them again, and says why."
        )
    if became.unlisted:
        _print(
            f"{became.unlisted:,} pictures are kept, although their folders are empty or cannot be "
            "read."
        )
    if missing.trashed:
        _print(
            f"{missing.trashed:,} pictures were moved into the trash, because their files are "
            "missing. They come back with their files."
        )
    if missing.forgotten:
        _print(f"{missing.forgotten:,} pictures were missing for too long, and were forgotten.")
    named = [*summary.unlisted, *summary.missing, *refused]
    more = summary.unlisted_count + summary.missing_count + refused_count - len(named)
    if named:
        print_refused([(shown(each.location), each.reason) for each in named], err, more=more)
        raise typer.Exit(1)


def passed_over_line(passed_over: Counter[PassedOver]) -> str:
    """Return how many files of each kind are no pictures."""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in passed_over.most_common())
    return f"Passed over, since they are no pictures: {kinds}."


def _report_passed_over(summary: ImportSummary, place: str) -> None:
    if summary.passed_over:
        _print(passed_over_line(summary.passed_over))
    if not (summary.counts or summary.missing_count or summary.unlisted_count):
        _print(f"There is no picture in {place}.")


def _print(line: str) -> None:
    out.print(line, soft_wrap=True, markup=False)


def report_dry_run(summary: ImportSummary, rate: float | None, *, place: str = "") -> None:
    """Print what an import would do, and an estimate of its duration."""
    counts = summary.counts
    _print(
        f"{summary.listed:,} found: {counts[ObjectChange.NEW]:,} new, "
        f"{counts[ObjectChange.CHANGED]:,} changed, "
        f"{counts[ObjectChange.UNFINISHED]:,} unfinished, "
        f"{counts[ObjectChange.UNCHANGED] + counts[ObjectChange.RETURNED]:,} unchanged, "
        f"{counts[ObjectChange.VANISHED]:,} gone from their place, "
        f"{counts[ObjectChange.REFUSED]:,} refused before."
    )
    _report_passed_over(summary, place)
    if counts[ObjectChange.UNLISTED]:
        _print(f"{counts[ObjectChange.UNLISTED]:,} in folders that are empty or unreadable.")
    if summary.missing_count:
        _print(f"{summary.missing_count:,} objects of the manifest do not exist.")
    duration = ""
    if rate:
        seconds = timedelta(seconds=max(1, round(summary.to_index / rate)))
        duration = f", about {seconds} at {rate:.1f} pictures/s"
    _print(
        f"{summary.to_index:,} to index ({decimal(summary.bytes_to_index)}){duration}. "
        "This was a dry run: nothing was changed."
    )
