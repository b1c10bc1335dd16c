"""The output of `pictograph search`: a table of hits and a summary, or why nothing was found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus, Variant
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByUpload
from domain.entities.relevance import LIKELY
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchDepth
from domain.errors import InvalidArgument, UploadRefusal
from pictograph.cli.tables import UUID_WIDTH, relevance_cell, thumbnail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from rich.console import RenderableType

    from domain import UseCases
    from domain.entities.embeddings import Hit
    from domain.entities.queries import SearchBy, SearchOptions
    from domain.entities.searches import SearchPage

FILENAME_MIN_WIDTH = 24
"""Characters of a file name before it is folded to the width of the terminal."""


async def search_and_render(
    use_cases: UseCases, by: SearchBy, options: SearchOptions, *, first: int, pictures: bool
) -> RenderableType:
    """Search, and return the output. A refusal of a picture names its file."""
    try:
        # The summary counts the relevant hits of the whole search.
        page = await use_cases.search(by, options, first=first, depth=SearchDepth.ALL)
    except UploadRefusal as refusal:
        raise InvalidArgument((), f"{_filenames(by)}: {refusal.message}") from None
    if not page.found:
        return _unwrapped(await _explain_empty_result(use_cases, options))
    hits = await use_cases.search.of(page.search).score(page.search.query, page.search.hits)
    relevances = {hit.image_id: hit.relevance or 0.0 for hit in hits}
    thumbnails = await thumbnails_of(use_cases, page) if pictures else []
    return Group(hits_table(page, relevances, thumbnails), _unwrapped(_summarise(hits, options)))


def hits_table(
    page: SearchPage, relevances: Mapping[UUID, float], thumbnails: Sequence[bytes] = ()
) -> Table:
    """Return a table of hits, best first. Thumbnails and collapsed images have columns if any."""
    caption = "Every picture was compared." if page.search.exact else "Found by an HNSW index scan."
    picture_column = ["Picture"] if thumbnails else []
    count_column = [] if page.options.collapse is Collapse.NONE else ["Images"]
    id_column = Column("Id", min_width=UUID_WIDTH)
    longest = max((cell_len(hit.image.filename) for hit in page.found), default=0)
    name_width = min(longest, FILENAME_MIN_WIDTH)
    file_column = Column("File", min_width=name_width, overflow="fold")
    facts = ("Relevance", "Score", file_column, "Size", "Taken")
    table = Table("", *picture_column, *facts, *count_column, id_column, caption=caption)
    for rank, hit in enumerate(page.found):
        taken_at = hit.image.exif.taken_at_local if hit.image.exif else None
        table.add_row(
            str(rank + 1),
            *([thumbnail(thumbnails[rank])] if thumbnails else []),
            # An image that was deleted since the search has no relevance.
            relevance_cell(relevances.get(hit.image.id, 0.0)),
            f"{hit.score:.3f}",
            Text(hit.image.filename),
            f"{hit.image.width} x {hit.image.height}",
            f"{taken_at:%Y-%m-%d}" if taken_at else "",
            *([str(hit.hit.collapsed_count)] if count_column else []),
            str(hit.image.id),
        )
    return table


def _filenames(by: SearchBy) -> str:
    terms = [weighted.term for _, _, weighted in by.terms()] if isinstance(by, ByBlend) else [by]
    return " or ".join(term.upload.name for term in terms if isinstance(term, ByUpload))


async def thumbnails_of(use_cases: UseCases, page: SearchPage) -> list[bytes]:
    """Read the thumbnails of a page's hits, in the order of the hits."""
    thumbnails = []
    for found in page.found:
        blob = await use_cases.read(found.image, Variant.THUMBNAIL)
        thumbnails.append(b"".join([chunk async for chunk in blob.chunks]))
    return thumbnails


def _summarise(hits: Sequence[Hit], options: SearchOptions) -> str:
    """Say how many hits of the whole search are relevant, not only on the page."""
    if not any((hit.relevance or 0.0) >= LIKELY for hit in hits):
        return f"No picture {_scope(options)} is likely to be relevant; the nearest are shown."
    least = LIKELY if options.min_relevance is None else options.min_relevance
    count = sum((hit.relevance or 0.0) >= least for hit in hits)
    pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
    if len(hits) >= MAX_SEARCH_DEPTH:
        pictures = f"{count:,} of the {MAX_SEARCH_DEPTH:,} nearest pictures are"
    bound = "likely or strong" if options.min_relevance is None else f"{least:g} or more"
    return f"{pictures} relevant: {bound}."


async def _explain_empty_result(use_cases: UseCases, options: SearchOptions) -> str:
    ready = replace(options.criteria, status_in=(ImageStatus.READY,))
    if options.min_relevance is not None and await use_cases.list.count(ready):
        return (
            f"No picture {_scope(options)} has a relevance of {options.min_relevance:g} or more; "
            "leave out --min-relevance to see the nearest."
        )
    if options.criteria != EVERYTHING and await use_cases.describe.embedded_count():
        return "No picture matches all filters; leave out some of them."
    return "The library is empty; import pictures with `pictograph import FOLDER`."


def _scope(options: SearchOptions) -> str:
    return "in the library" if options.criteria == EVERYTHING else "that matches the filters"


def _unwrapped(text: str) -> Text:
    """Return a line that rich does not wrap. A terminal may."""
    return Text(text, no_wrap=True, overflow="ignore")
