"""Looking after a library: what is to be removed, and what does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

import app
from commands.shell import err, out, run, settings_of
from domain.errors import Refusal

if TYPE_CHECKING:
    from infra.settings import Settings


def sweep(
    even_everything: Annotated[
        bool, typer.Option("--even-everything", help="Sweep also where no picture is left.")
    ] = False,
) -> None:
    """Remove bytes that no picture points at, and searches that have expired."""
    run(_sweep(settings_of(), even_everything=even_everything))


async def _sweep(settings: Settings, *, even_everything: bool) -> None:
    async with app.open_library(settings) as library:
        with err.status("Looking at what is stored") as status:
            swept = await library.sweep(
                even_everything=even_everything,
                progress=lambda count: status.update(f"Looked at {count:,} objects"),
            )
    out.print(
        f"{swept.objects:,} objects looked at, {swept.removed_objects:,} removed; "
        f"{swept.removed_searches:,} expired searches removed."
    )


def doctor() -> None:
    """Say what is configured, reachable and loaded."""
    run(_doctor(settings_of()))


async def _doctor(settings: Settings) -> None:
    from infra import checkup  # noqa: PLC0415 - no other command needs it

    table = Table("", "Part", "How it is")
    table.add_row("[green]✓", "Settings", Text(settings.summary))
    ill = 0
    for part, look in checkup.LOOKS.items():
        try:
            with err.status(f"Looking at: {part}"):
                table.add_row("[green]✓", part, Text(await look(settings)))
        except Refusal as refusal:
            ill = 1
            table.add_row("[red]✗", part, Text(refusal.message))
    out.print(table)
    raise typer.Exit(ill)
