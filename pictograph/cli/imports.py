"""The command that imports pictures of folders and buckets, in place or as copies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from domain.entities.tags import clean_tags
from domain.errors import Misconfigured
from domain.use_cases.imports.reconcile_manifest import ManifestEntry
from infra.filesystem.manifest import read_manifest
from infra.locations import S3_SCHEME, file_location, root_of, shown
from pictograph.cli.console import err, run, settings_of
from pictograph.cli.import_copies import import_copies
from pictograph.cli.import_report import (
    NOTHING_MISSING,
    ImportProgress,
    report,
    report_dry_run,
)
from pictograph.cli.libraries import open_pictograph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import UseCases
    from domain.use_cases.imports.summary import ImportSummary
    from infra.settings import Settings


def import_pictures(  # noqa: PLR0913, PLR0917 - each is an option
    place: Annotated[
        str | None, typer.Argument(help="Folder with its subfolders, file, or s3://bucket/prefix.")
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
                "Only a folder or a file can be copied; name it: `pictograph import FOLDER --copy`."
            )
        if dry_run:
            raise Misconfigured("--copy has no dry run; leave out --copy or --dry-run.")
        run(import_copies(settings, Path(place), tags=tag or [], exclude=exclude or []))
        return
    run(
        _import(
            settings,
            _Source.of(place, manifest),
            tags=clean_tags(tag or []),
            retry=retry,
            dry_run=dry_run,
            even_everything=even_everything,
            exclude=exclude or [],
        )
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """What is imported: everything below a root, or the entries of a manifest or of one file."""

    given: str
    """As the user wrote it."""
    root: str | None = None
    entries: AsyncIterator[ManifestEntry] | None = None
    file: str | None = None
    """The location of the one file."""

    @classmethod
    def of(cls, place: str | None, manifest: Path | None) -> Self:
        """Find out what is given. Raises Misconfigured."""
        if place is None:
            file = manifest or Path("-")
            return cls(str(file), entries=read_manifest(file))
        if file_at := file_location(place):
            return cls(place, entries=_one_entry(file_at), file=file_at)
        return cls(place, root=root_of(place))

    def shown(self, location: str) -> str:
        """Return a location as the user wrote it."""
        return shown(location, root=self.root or self.file, given=self.given)


async def _one_entry(location: str) -> AsyncIterator[ManifestEntry]:
    yield ManifestEntry(location)


async def _import(  # noqa: PLR0913 - each is an option
    settings: Settings,
    source: _Source,
    *,
    tags: tuple[str, ...],
    retry: bool,
    dry_run: bool,
    even_everything: bool,
    exclude: list[str],
) -> None:
    async with open_pictograph(settings) as pictograph:
        use_cases = pictograph.use_cases
        given = source.given
        if given.startswith(S3_SCHEME) and await use_cases.reconcile.is_object(given):
            source = _Source(given, entries=_one_entry(given), file=given)
        with ImportProgress(err) as progress:
            if source.root is not None:
                listing = use_cases.reconcile(
                    source.root,
                    tags=tags,
                    retry=retry,
                    force=even_everything,
                    dry_run=dry_run,
                    exclude=exclude,
                    progress=progress.found,
                )
            else:
                assert source.entries  # noqa: S101 - without a root there are entries
                listing = use_cases.reconcile_manifest(
                    source.entries, tags=tags, retry=retry, dry_run=dry_run, progress=progress.found
                )
            if dry_run:
                summary = await listing
                rate = await use_cases.estimate(summary.sample)
            else:
                # Another model can be promoted during the import. It then needs embeddings, too.
                others = asyncio.ensure_future(pictograph.work_for_others())
                try:
                    async with pictograph.deferring_index():
                        summary = await _index(use_cases, asyncio.ensure_future(listing), progress)
                finally:
                    others.cancel()
                    await asyncio.gather(others, return_exceptions=True)
        if dry_run:
            report_dry_run(summary, rate, place=source.given)
            return
        # A manifest does not tell what is missing elsewhere.
        missing = NOTHING_MISSING
        if source.root is not None:
            missing = await use_cases.forget_missing(summary)
        report(
            summary,
            await use_cases.forget_missing.count(summary),
            *await use_cases.index_found.refused(summary),
            missing=missing,
            place=source.given,
            shown=source.shown,
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
