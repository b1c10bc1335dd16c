"""Table cells that several commands use: ids, relevances and thumbnails."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from domain.entities.relevance import RelevanceBand, band_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

THUMBNAIL_COLUMNS = 16
THUMBNAIL_ROWS = 6

UUID_WIDTH = 36
"""Characters of an id, which must not be cut off: users copy it into commands."""

API_ID_WIDTH = 56
"""Characters of an image's id as the API writes it."""

BAND_STYLES = {
    RelevanceBand.STRONG: "bold green",
    RelevanceBand.LIKELY: "green",
    RelevanceBand.WEAK: "dim",
}


def shows_pictures(console: Console) -> bool:
    """Return whether a console is a terminal with 24-bit colour."""
    return console.is_terminal and console.color_system == "truecolor"


def relevance_cell(relevance: float) -> Text:
    """Return a relevance as its band and a number."""
    band = band_of(relevance)
    return Text(f"{band} {relevance:.2f}", style=BAND_STYLES[band])


def thumbnail(data: bytes) -> Text:
    """Draw a WebP rendition in at most 16 x 6 characters, each an upper and a lower pixel."""
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as rendition:
        picture = rendition.convert("RGB")
    picture.thumbnail((THUMBNAIL_COLUMNS, 2 * THUMBNAIL_ROWS))
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


def print_refused(refused: Sequence[tuple[str, str]], console: Console, *, more: int = 0) -> None:
    """Print files or folders with the reasons why they were refused, and how many more there are.

    On a terminal it is a table. Elsewhere each has a line, so that a program finds whole paths.
    """
    rest = f"… and {more:,} more"
    if not console.is_terminal:
        lines = [f"Refused: {path}: {reason}" for path, reason in refused]
        for line in [*lines, *([rest] if more else [])]:
            console.print(line, soft_wrap=True, markup=False, highlight=False)
        return
    table = Table(Column("File or folder", overflow="fold"), "Reason", title="Refused")
    for path, reason in refused:
        table.add_row(Text(path), Text(reason))
    if more:
        table.add_row(rest, "")
    console.print(table)
