"""Taking in many pictures at once: where they lie, or as copies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.entities.tags import clean_tags
from domain.errors import Misconfigured
from infra.filesystem.manifest import read_manifest
from infra.locations import root_of
from pictograph import app
from pictograph.cli.console import err, run, settings_of
from pictograph.cli.import_copies import import_copies
from pictograph.cli.import_report import ImportProgress, report, report_dry_run

if TYPE_CHECKING:
    from domain import UseCases
    from domain.use_cases.imports.summary import ImportSummary
    from infra.settings import Settings


def import_pictures(  # noqa: PLR0913, PLR0917 - each is an option
    place: Annotated[
        str | None, typer.Argument(help="Folder with all folders in it, or s3://bucket/prefix.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag to put on each; repeatable.")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="File that names pictures, a line each (or CSV, or JSON); - reads standard input."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what was refused before.")
    ] = False,
    even_everything: Annotated[
        bool,
        typer.Option("--even-everything", help="Go on where nothing is left at the place."),
    ] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the originals of a folder, and look after them.")
    ] = False,
) -> None:
    """Index every picture of a folder or a bucket where it lies; run again, what has changed."""
    if (place is None) == (manifest is None):
        raise Misconfigured(
            "Name what to import: a folder, s3://bucket/prefix, or --manifest FILE."
        )
    settings = settings_of()
    if copy:
        if place is None or "://" in place or dry_run:
            raise Misconfigured("Only a folder can be copied, and not as a dry run: name one.")
        run(import_copies(settings, Path(place), tags=tag or []))
        return
    run(
        _import(
            settings,
            place,
            manifest,
            tags=clean_tags(tag or []),
            retry=retry,
            dry_run=dry_run,
            even_everything=even_everything,
        )
    )


async def _import(  # noqa: PLR0913 - each is an option
    settings: Settings,
    place: str | None,
    manifest: Path | None,
    *,
    tags: tuple[str, ...],
    retry: bool,
    dry_run: bool,
    even_everything: bool,
) -> None:
    root = None if place is None else await asyncio.to_thread(root_of, place)
    async with app.open_pictograph(settings) as pictograph:
        use_cases = pictograph.use_cases
        with ImportProgress(err) as progress:
            if root is not None:
                looking = use_cases.reconcile(
                    root,
                    tags=tags,
                    retry=retry,
                    force=even_everything,
                    dry_run=dry_run,
                    progress=progress.found,
                )
            else:
                entries = read_manifest(manifest or Path("-"))
                looking = use_cases.reconcile_manifest(
                    entries, tags=tags, retry=retry, dry_run=dry_run, progress=progress.found
                )
            if dry_run:
                stock = await looking
                rate = await use_cases.estimate(stock.sample)
            else:
                # What is found may be the work of another model: promoted before, or meanwhile.
                others = asyncio.ensure_future(pictograph.work_for_others())
                try:
                    stock = await _index(use_cases, asyncio.ensure_future(looking), progress)
                finally:
                    others.cancel()
                    await asyncio.gather(others, return_exceptions=True)
        if dry_run:
            report_dry_run(stock, rate)
        else:
            report(stock, *await use_cases.index_found.refused(stock.key_range))


async def _index(
    use_cases: UseCases, listing: asyncio.Future[ImportSummary], progress: ImportProgress
) -> ImportSummary:
    """Index what is found as it is found."""
    try:
        async for waiting in use_cases.index_found(lambda: progress.key_range, listing=listing):
            progress.left(waiting)
        return await listing
    finally:
        listing.cancel()
        await asyncio.gather(listing, return_exceptions=True)
