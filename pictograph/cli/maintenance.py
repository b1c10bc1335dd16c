"""The commands that maintain a library: migrate, sweep and check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from domain.use_cases.maintenance.check import DEFAULT_SAMPLE_SIZE
from pictograph import app
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.libraries import open_library, say_which_library
from pictograph.cli.tables import UUID_WIDTH

if TYPE_CHECKING:
    from infra.settings import Settings


def migrate(
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Create the bucket if it does not exist.")
    ] = False,
) -> None:
    """Migrate the database to this version."""
    settings = settings_of()
    say_which_library(settings)
    run(app.migrate(settings, create_bucket=create_bucket))
    out.print("The database has all migrations of this version.")


def sweep(
    even_everything: Annotated[
        bool,
        typer.Option(
            "--even-everything",
            help="Sweep even if the library has no images, and files from before it claimed them.",
        ),
    ] = False,
) -> None:
    """Remove unreferenced files, and expired searches, upload targets and deleted images."""
    run(_sweep(settings_of(), even_everything=even_everything))


async def _sweep(settings: Settings, *, even_everything: bool) -> None:
    async with open_library(settings) as library:
        with err.status("Checking stored files") as status:
            swept = await library.sweep(
                force=even_everything,
                progress=lambda count: status.update(f"Checked {count:,} stored files"),
            )
        # After the sweep, which refuses files of another library.
        emptied = await library.empty_trash()
        targets = await library.sweep_targets()
    kept = (
        f"{swept.kept_objects:,} unreferenced files kept: they are older than this library's claim "
        "on the files. --even-everything removes them.\n"
        if swept.kept_objects
        else ""
    )
    out.print(
        f"{swept.objects:,} stored files checked, "
        f"{swept.removed_objects:,} unreferenced files removed.\n"
        f"{kept}"
        f"{emptied:,} images of the trash removed.\n"
        f"{swept.removed_searches:,} expired searches removed.\n"
        f"{targets.targets:,} expired upload targets and {targets.files:,} of their files removed.",
        soft_wrap=True,
    )


def claim() -> None:
    """Take the files over for this database, whichever library had them before."""
    run(_claim(settings_of()))


async def _claim(settings: Settings) -> None:
    async with open_library(settings) as library:
        claimed = await library.claim_storage(force=True)
    out.print(f"The files belong to the library {claimed.library_id} now.", soft_wrap=True)


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Repair faults where possible.")] = False,
    originals: Annotated[
        int, typer.Option(min=0, help="How many originals to read completely, chosen at random.")
    ] = DEFAULT_SAMPLE_SIZE,
    scrub: Annotated[
        bool,
        typer.Option(
            "--scrub", help="Also read every original that is due after PICTOGRAPH_SCRUB_DAYS."
        ),
    ] = False,
    even_everything: Annotated[
        bool, typer.Option("--even-everything", help="Repair even if most originals are missing.")
    ] = False,
) -> None:
    """Check the invariants of the library: bytes, digests, embeddings, tasks, and leftovers."""
    run(
        _check(
            settings_of(),
            repair=repair,
            sample=originals,
            scrub=scrub,
            even_everything=even_everything,
        )
    )


async def _check(
    settings: Settings, *, repair: bool, sample: int, scrub: bool, even_everything: bool
) -> None:
    async with open_library(settings) as library:
        with err.status("Checking the library") as status:
            report = await library.check(
                repair=repair,
                sample=sample,
                scrub=scrub,
                force=even_everything,
                progress=lambda noun, count: status.update(f"Checked {count:,} {noun}"),
            )
    out.print(f"{report.images:,} images checked, {report.originals_read:,} originals read.")
    for sentence in report.refused:
        err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    if not report.counts:
        if report.refused:
            raise typer.Exit(1)
        out.print("No faults found.")
        return
    table = Table("Images", "Fault", Column("Examples", min_width=UUID_WIDTH))
    for fault, count in report.counts.most_common():
        table.add_row(f"{count:,}", fault.value, "\n".join(map(str, report.examples[fault])))
    out.print(table, crop=False)
    if repair:
        out.print(f"{report.repaired:,} images repaired, or queued for the workers to repair.")
    else:
        out.print("`pictograph check --repair` repairs faults where possible.")
        raise typer.Exit(1)
