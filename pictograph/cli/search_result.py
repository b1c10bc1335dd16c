"""What `pictograph search` answers: a table and a line under it, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from domain.entities.filters import EVERYTHING
from domain.entities.images import ImageStatus, Variant
from domain.entities.queries import ByBlend, ByUpload
from domain.entities.relevance import LIKELY
from domain.entities.searches import MAX_SEARCH_DEPTH
from domain.errors import InvalidArgument, UploadRefusal
from pictograph.cli.tables import hits_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from domain import UseCases
    from domain.entities.embeddings import Hit
    from domain.entities.queries import SearchBy, SearchOptions
    from domain.entities.searches import SearchPage


async def answer_to(
    use_cases: UseCases, by: SearchBy, options: SearchOptions, *, first: int, pictures: bool
) -> RenderableType:
    """Search, and return what there is to print. Refusals name the option or the file at fault."""
    try:
        page = await use_cases.search(by, options, first=first)
    except UploadRefusal as refusal:
        raise InvalidArgument((), f"{_files(by)}: {refusal.message}") from None
    if not page.found:
        return _line(await _why_nothing(use_cases, options))
    hits = await use_cases.search.of(page.search).score(page.search.query, page.search.hits)
    relevances = {hit.image_id: hit.relevance or 0.0 for hit in hits}
    thumbnails = await thumbnails_of(use_cases, page) if pictures else []
    return Group(hits_table(page, relevances, thumbnails), _line(_summary(hits, options)))


def _files(by: SearchBy) -> str:
    terms = [weighted.term for _, _, weighted in by.terms()] if isinstance(by, ByBlend) else [by]
    return " or ".join(term.upload.name for term in terms if isinstance(term, ByUpload))


async def thumbnails_of(use_cases: UseCases, page: SearchPage) -> list[bytes]:
    """Read the thumbnails of a page's hits, in order."""
    thumbnails = []
    for found in page.found:
        blob = await use_cases.read(found.image, Variant.THUMBNAIL)
        thumbnails.append(b"".join([chunk async for chunk in blob.chunks]))
    return thumbnails


def _summary(hits: Sequence[Hit], options: SearchOptions) -> str:
    """Say how many of all hits are relevant, on this page or not."""
    if not any((hit.relevance or 0.0) >= LIKELY for hit in hits):
        where = _where(options)
        return f"Nothing {where} is likely what you asked for; the nearest are shown."
    least = LIKELY if options.min_relevance is None else options.min_relevance
    count = sum((hit.relevance or 0.0) >= least for hit in hits)
    pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
    if len(hits) >= MAX_SEARCH_DEPTH:
        pictures = f"{count:,} of the {MAX_SEARCH_DEPTH:,} nearest pictures are"
    bound = "likely or strong" if options.min_relevance is None else f"{least:g} or more"
    return f"{pictures} relevant: {bound}."


async def _why_nothing(use_cases: UseCases, options: SearchOptions) -> str:
    ready = replace(options.criteria, status_in=(ImageStatus.READY,))
    if options.min_relevance is not None and await use_cases.list.count(ready):
        return (
            f"Nothing {_where(options)} has a relevance of {options.min_relevance:g} or more; "
            "leave --min-relevance out to see the nearest."
        )
    if options.criteria != EVERYTHING and await use_cases.describe.embedded_count():
        return "No picture matches all the options that were given; leave some of them out."
    return "The library is empty; take pictures in with `pictograph import FOLDER`."


def _where(options: SearchOptions) -> str:
    return "in the library" if options.criteria == EVERYTHING else "that matches the options"


def _line(text: str) -> Text:
    """Return a line that a terminal may wrap, but we do not."""
    return Text(text, no_wrap=True, overflow="ignore")
