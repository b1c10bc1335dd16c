"""What a search found, in a terminal: pictures are drawn in half blocks, two pixels each."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from domain.entities.near_duplicates import Collapse
from domain.entities.relevance import RelevanceBand, band_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from rich.console import Console

    from domain.entities.searches import SearchPage

COLUMNS = 16
ROWS = 6

UUID_WIDTH = 36
"""Of an id: cut off, it is good for nothing."""

NAME_WIDTH = 24
"""Of a file's name: a longer one takes another line, where there is no more room."""

STYLES = {
    RelevanceBand.STRONG: "bold green",
    RelevanceBand.LIKELY: "green",
    RelevanceBand.WEAK: "dim",
}


def shows_pictures(console: Console) -> bool:
    """Tell whether a console is a terminal with 24-bit colour."""
    return console.is_terminal and console.color_system == "truecolor"


def hits_table(
    page: SearchPage, relevances: Mapping[UUID, float], thumbnails: Sequence[bytes] = ()
) -> Table:
    """Lay hits out in rows, the best first, each with its picture where there are any."""
    how = "Every picture was compared." if page.search.exact else "Found by walking the HNSW index."
    pictured = ["Picture"] if thumbnails else []
    alike = [] if page.options.collapse is Collapse.NONE else ["Alike"]
    last = Column("Id", min_width=UUID_WIDTH)
    longest = max((cell_len(hit.image.filename) for hit in page.found), default=0)
    name = Column("File", min_width=min(longest, NAME_WIDTH), overflow="fold")
    facts = ("Relevance", "Score", name, "Size", "Taken")
    table = Table("", *pictured, *facts, *alike, last, caption=how)
    for rank, hit in enumerate(page.found):
        taken_at = hit.image.exif.taken_at if hit.image.exif else None
        table.add_row(
            str(rank + 1),
            *([thumbnail(thumbnails[rank])] if thumbnails else []),
            # One that was deleted in between is no answer any more.
            relevance_cell(relevances.get(hit.image.id, 0.0)),
            f"{hit.score:.3f}",
            Text(hit.image.filename),
            f"{hit.image.width} x {hit.image.height}",
            f"{taken_at:%Y-%m-%d}" if taken_at else "",
            *([str(hit.hit.stands_for)] if alike else []),
            str(hit.image.id),
        )
    return table


def relevance_cell(relevance: float) -> Text:
    """Say a relevance as a word and a number."""
    band = band_of(relevance)
    return Text(f"{band} {relevance:.2f}", style=STYLES[band])


def thumbnail(data: bytes) -> Text:
    """Draw one of our own renditions in at most 16 x 6 characters."""
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as rendition:
        picture = rendition.convert("RGB")
    picture.thumbnail((COLUMNS, 2 * ROWS))
    width, height = picture.size
    pixels = picture.tobytes()

    def colour(x: int, y: int) -> Color | None:
        if y >= height:
            return None
        return Color.from_rgb(*pixels[3 * (y * width + x) :][:3])

    lines = [
        Text.assemble(
            *(("▀", Style(color=colour(x, y), bgcolor=colour(x, y + 1))) for x in range(width))
        )
        for y in range(0, height, 2)
    ]
    return Text("\n").join(lines)
