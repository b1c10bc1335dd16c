"""Looking after a library: what is to be removed, and what does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from domain.errors import Refusal
from domain.use_cases.maintenance.check import SAMPLE
from pictograph import app
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.remedies import sentence_of
from pictograph.cli.tables import UUID_WIDTH

if TYPE_CHECKING:
    from infra.settings import Settings


def sweep(
    even_everything: Annotated[
        bool, typer.Option("--even-everything", help="Sweep also where no picture is left.")
    ] = False,
) -> None:
    """Remove bytes that no picture points at, and searches and uploads that have expired."""
    run(_sweep(settings_of(), even_everything=even_everything))


async def _sweep(settings: Settings, *, even_everything: bool) -> None:
    async with app.open_library(settings) as library:
        with err.status("Looking at what is stored") as status:
            swept = await library.sweep(
                force=even_everything,
                progress=lambda count: status.update(f"Looked at {count:,} objects"),
            )
        targets = await library.sweep_targets()
    out.print(
        f"{swept.objects:,} objects looked at, {swept.removed_objects:,} removed; "
        f"{swept.removed_searches:,} expired searches removed."
    )
    out.print(
        f"{targets.targets:,} expired upload targets removed, and {targets.files:,} files sent to "
        "such."
    )


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    originals: Annotated[
        int, typer.Option(min=0, help="How many originals to read to the end, chosen by chance.")
    ] = SAMPLE,
    even_everything: Annotated[
        bool, typer.Option("--even-everything", help="Repair also where most originals are gone.")
    ] = False,
) -> None:
    """Look for rows without bytes, pictures without embedding, and originals that have changed."""
    run(_check(settings_of(), repair=repair, sample=originals, even_everything=even_everything))


async def _check(settings: Settings, *, repair: bool, sample: int, even_everything: bool) -> None:
    async with app.open_library(settings) as library:
        with err.status("Looking at what is stored") as status:
            faults = await library.check(
                repair=repair,
                sample=sample,
                force=even_everything,
                progress=lambda what, count: status.update(f"Looked at {count:,} {what}"),
            )
    out.print(f"{faults.images:,} images looked at, {faults.originals_read:,} originals read.")
    if not faults.counts:
        out.print("Nothing is wrong.")
        return
    table = Table("Images", "What is wrong", Column("Among them", min_width=UUID_WIDTH))
    for fault, count in faults.counts.most_common():
        table.add_row(f"{count:,}", fault.value, "\n".join(map(str, faults.examples[fault])))
    out.print(table, crop=False)
    if repair:
        out.print(f"{faults.mended:,} repairs made or written down for the workers.")
    else:
        out.print("`pictograph check --repair` mends what can be mended.")
        raise typer.Exit(1)


def doctor() -> None:
    """Say what is configured, reachable and loaded."""
    run(_doctor(settings_of()))


async def _doctor(settings: Settings) -> None:
    from pictograph.cli import doctor as checkup  # noqa: PLC0415 - no other command needs it

    table = Table("", "Part", "How it is")
    table.add_row("[green]✓", "Settings", Text(settings.summary))
    ill = 0
    for part, look in checkup.LOOKS.items():
        try:
            with err.status(f"Looking at: {part}"):
                table.add_row("[green]✓", part, Text(await look(settings)))
        except Refusal as refusal:
            ill = 1
            table.add_row("[red]✗", part, Text(sentence_of(refusal)))
    out.print(table)
    raise typer.Exit(ill)
