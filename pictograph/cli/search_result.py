"""The output of `pictograph search`: a table or JSON of what was found, or why nothing was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from domain.entities.filters import EVERYTHING
from domain.entities.near_duplicates import Collapse
from domain.entities.relevance import LIKELY, band_of
from domain.entities.searches import MAX_SEARCH_DEPTH
from graph.schema.spelling import encode_id
from pictograph.cli.tables import API_ID_WIDTH, relevance_cell, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from domain.entities.images import Image
    from domain.entities.queries import SearchOptions


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A hit, with its image and where that is."""

    image: Image
    score: float
    relevance: float
    collapsed_count: int = 1
    path: str | None = None
    """The file or the object of the original; None for bytes that only a server can give."""
    url: str | None = None
    """The address of the original, where a server answers."""

    @property
    def place(self) -> str:
        """Where people find the picture: its file, else its address, else its name."""
        if self.image.source is not None and self.path:
            return self.path
        return self.url or self.image.filename


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The first page of a search, and what is known about the rest of it."""

    pictures: Sequence[FoundPicture]
    exact: bool = True
    relevant_count: int = 0
    """On all pages."""
    is_likely: bool = False
    """Whether any picture is likely to be relevant."""
    is_cut_off: bool = False
    """Whether there may be more hits than a search keeps."""
    matching_count: int = 0
    """How many pictures match the filter. Needed only where nothing was found."""
    library_count: int = 0
    """How many pictures could be found at all. Needed only where nothing was found."""


def render(
    answer: SearchAnswer, options: SearchOptions, thumbnails: Sequence[bytes] = ()
) -> RenderableType:
    """Return the table of the hits with a summary, or why there are none."""
    if not answer.pictures:
        return _unwrapped(explain_empty(answer, options))
    return Group(hits_table(answer, options, thumbnails), _unwrapped(_summarise(answer, options)))


def as_json(answer: SearchAnswer, *, library: str, server: str | None) -> str:
    """Return the hits as JSON for programs."""
    facts = {
        "library": library,
        "server": server,
        "exact": answer.exact,
        "relevantCount": answer.relevant_count,
        "pictures": [_facts(picture) for picture in answer.pictures],
    }
    return json.dumps(facts, indent=2, ensure_ascii=False)


def _facts(picture: FoundPicture) -> dict[str, object]:
    image = picture.image
    taken_at = image.exif.taken_at if image.exif else None
    return {
        "id": encode_id(image.id),
        "uuid": str(image.id),
        "filename": image.filename,
        "path": picture.path,
        "url": picture.url,
        "relevance": round(picture.relevance, 4),
        "band": band_of(picture.relevance).name,
        "score": round(picture.score, 4),
        "width": image.width,
        "height": image.height,
        "takenAt": taken_at.isoformat() if taken_at else None,
        "altText": image.alt_text,
        "tags": list(image.tags),
        "collapsedCount": picture.collapsed_count,
    }


def hits_table(
    answer: SearchAnswer, options: SearchOptions, thumbnails: Sequence[bytes] = ()
) -> Table:
    """Return a table of hits, best first. Thumbnails and collapsed images have columns if any.

    A picture's place and its id are in one column, whole, so that both can be copied.
    """
    caption = "Every picture was compared." if answer.exact else "Found by an HNSW index scan."
    picture_column = ["Picture"] if thumbnails else []
    count_column = [] if options.collapse is Collapse.NONE else ["Images"]
    place_column = Column("File or address, and id", min_width=API_ID_WIDTH, overflow="fold")
    table = Table(
        "",
        *picture_column,
        "Relevance",
        "Score",
        "Size",
        "Taken",
        *count_column,
        place_column,
        caption=caption,
    )
    for rank, picture in enumerate(answer.pictures):
        image = picture.image
        taken_at = image.exif.taken_at_local if image.exif else None
        lines = [picture.place, encode_id(image.id)]
        if image.filename not in picture.place:
            lines.insert(0, image.filename)
        table.add_row(
            str(rank + 1),
            *([thumbnail(thumbnails[rank])] if thumbnails else []),
            relevance_cell(picture.relevance),
            f"{picture.score:.3f}",
            f"{image.width} x {image.height}",
            f"{taken_at:%Y-%m-%d}" if taken_at else "",
            *([str(picture.collapsed_count)] if count_column else []),
            Text("\n".join(lines)),
        )
    return table


def _summarise(answer: SearchAnswer, options: SearchOptions) -> str:
    """Say how many hits of the whole search are relevant, not only on the page."""
    if not answer.is_likely:
        return f"No picture {_scope(options)} is likely to be relevant; the nearest are shown."
    count = answer.relevant_count
    pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
    if answer.is_cut_off:
        pictures = f"{count:,} of the {MAX_SEARCH_DEPTH:,} nearest pictures are"
    least = options.min_relevance
    bound = "likely or strong" if least is None else f"{least:g} or more"
    return f"{pictures} relevant: {bound}."


def explain_empty(answer: SearchAnswer, options: SearchOptions) -> str:
    """Return why nothing was found, and the way out."""
    if options.min_relevance is not None and answer.matching_count:
        return (
            f"No picture {_scope(options)} has a relevance of {options.min_relevance:g} or more; "
            "leave out --min-relevance to see the nearest."
        )
    if options.criteria != EVERYTHING and answer.library_count:
        return "No picture matches all filters; leave out some of them."
    return "The library is empty; import pictures with `pictograph import FOLDER`."


def is_likely(relevance: float) -> bool:
    """Return whether a hit is likely to be relevant."""
    return relevance >= LIKELY


def _scope(options: SearchOptions) -> str:
    return "in the library" if options.criteria == EVERYTHING else "that matches the filters"


def _unwrapped(text: str) -> Text:
    """Return a line that rich does not wrap. A terminal may."""
    return Text(text, no_wrap=True, overflow="ignore")
