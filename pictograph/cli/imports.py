"""The command that imports pictures of folders and buckets, in place or as copies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.entities.tags import clean_tags
from domain.errors import Misconfigured
from domain.use_cases.imports.forget_missing import MissingReport
from infra.filesystem.manifest import one_entry, read_manifest
from infra.locations import S3_SCHEME, root_of
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
        str | None, typer.Argument(help="Folder, with its subfolders, or s3://bucket/prefix.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Tag of each new image. Repeatable.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="File with a location a line, or CSV, or JSON lines; - reads standard input."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would change, and change nothing.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Retry refused objects.")] = False,
    even_everything: Annotated[
        bool,
        typer.Option(
            "--even-everything",
            help="Continue even if the place or a folder of it has become empty.",
        ),
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Pattern of what to leave out, as in .gitignore: 'drafts/', '*.tif'. Repeatable. "
            "A .pictographignore in a folder has such patterns, too.",
            metavar="PATTERN",
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the originals of a folder into the library.")
    ] = False,
) -> None:
    """Index the pictures of a folder or bucket in place. Later runs index only changes."""
    if (place is None) == (manifest is None):
        raise Misconfigured(
            "Name what to import: a folder, s3://bucket/prefix, or --manifest FILE."
        )
    settings = settings_of()
    if copy:
        if place is None or "://" in place:
            raise Misconfigured(
                "Only a folder can be copied; name it: `pictograph import FOLDER --copy`."
            )
        if dry_run:
            raise Misconfigured("--copy has no dry run; leave out --copy or --dry-run.")
        run(import_copies(settings, Path(place), tags=tag or [], exclude=exclude or []))
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
            exclude=exclude or [],
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
    exclude: list[str],
) -> None:
    root = None if place is None else await asyncio.to_thread(root_of, place)
    async with app.open_pictograph(settings) as pictograph:
        use_cases = pictograph.use_cases
        if place and place.startswith(S3_SCHEME) and await use_cases.reconcile.is_object(place):
            root = None
        with ImportProgress(err) as progress:
            if root is not None:
                listing = use_cases.reconcile(
                    root,
                    tags=tags,
                    retry=retry,
                    force=even_everything,
                    dry_run=dry_run,
                    exclude=exclude,
                    progress=progress.found,
                )
            else:
                entries = one_entry(place) if place else read_manifest(manifest or Path("-"))
                listing = use_cases.reconcile_manifest(
                    entries, tags=tags, retry=retry, dry_run=dry_run, progress=progress.found
                )
            if dry_run:
                summary = await listing
                rate = await use_cases.estimate(summary.sample)
            else:
                # Another model can be promoted during the import. It then needs embeddings, too.
                others = asyncio.ensure_future(pictograph.work_for_others())
                try:
                    summary = await _index(use_cases, asyncio.ensure_future(listing), progress)
                finally:
                    others.cancel()
                    await asyncio.gather(others, return_exceptions=True)
        if dry_run:
            report_dry_run(summary, rate)
            return
        # A manifest does not tell what is missing elsewhere.
        missing = MissingReport() if root is None else await use_cases.forget_missing(summary)
        report(
            summary,
            await use_cases.forget_missing.count(summary),
            *await use_cases.index_found.refused(summary.key_range),
            missing=missing,
        )


async def _index(
    use_cases: UseCases, listing: asyncio.Future[ImportSummary], progress: ImportProgress
) -> ImportSummary:
    """Index objects while the listing continues. Cancels the listing if indexing fails."""
    try:
        async for waiting in use_cases.index_found(lambda: progress.key_range, listing=listing):
            progress.left(waiting)
        return await listing
    finally:
        listing.cancel()
        await asyncio.gather(listing, return_exceptions=True)
