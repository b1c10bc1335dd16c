"""Imports the pictures of a folder as copies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from domain.errors import Refusal
from pictograph.cli.console import err, out
from pictograph.cli.import_report import passed_over_line
from pictograph.cli.libraries import open_pictograph
from pictograph.cli.local_files import uploads_of
from pictograph.cli.tables import print_refused

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import Settings


async def import_copies(
    settings: Settings, place: Path, *, tags: list[str], exclude: list[str]
) -> None:
    """Copy a picture, or the pictures of a folder, into the library without duplicates.

    Exits with 1 if a file was refused.
    """
    uploads, passed_over = await asyncio.to_thread(uploads_of, place, exclude)
    refused: list[tuple[str, str]] = []
    duplicates = 0
    columns = (
        TextColumn("Importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    async with open_pictograph(settings) as pictograph, pictograph.deferring_index():
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("", total=len(uploads))
            async for upload, outcome in pictograph.use_cases.import_copies(uploads, tags=tags):
                if isinstance(outcome, Refusal):
                    refused.append((upload.filename, outcome.message))
                else:
                    duplicates += outcome.is_duplicate
                progress.advance(task)
    new = len(uploads) - len(refused) - duplicates
    out.print(f"{new} imported, {duplicates} already in the library, {len(refused)} refused.")
    if passed_over:
        out.print(passed_over_line(passed_over), soft_wrap=True)
    if not uploads:
        out.print(f"There is no picture in {place}.", markup=False, soft_wrap=True)
    if refused:
        _print_refused(place, refused)
        raise typer.Exit(1)


def _print_refused(place: Path, refused: list[tuple[str, str]]) -> None:
    folder = place if place.is_dir() else place.parent
    print_refused([(str(folder / name), reason) for name, reason in sorted(refused)], err)
