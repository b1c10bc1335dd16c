"""Draws a contact sheet: queries and their first hits among held-out postcards.

``python -m postcards.contact_sheet docs/postcards.jpg`` makes the picture in the README.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from postcards import MODEL
from postcards.evaluate import Evaluation
from postcards.painting.postcard import paint
from postcards.queries import held_out_scenes

QUERIES = (
    "a red sailboat at sunset",
    "three birds over the city",
    "hot-air balloons, winter",
    "a purple tent in a canyon at night",
)
HITS_PER_QUERY = 5
THUMBNAIL_SIZE = (300, 200)
GAP_PIXELS = 12
CAPTION_HEIGHT_PIXELS = 34
PAPER, INK = (250, 246, 238), (44, 42, 48)


def main() -> None:
    """Search, and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m postcards.contact_sheet", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=MODEL)
    arguments = parser.parse_args()
    evaluation = Evaluation(arguments.folder, console=Console(stderr=True))
    pool = evaluation.pool(held_out_scenes(1_000), "1,000 pictures")
    width, height = THUMBNAIL_SIZE
    row = CAPTION_HEIGHT_PIXELS + height + GAP_PIXELS
    sheet = Image.new(
        "RGB",
        (GAP_PIXELS + HITS_PER_QUERY * (width + GAP_PIXELS), GAP_PIXELS + len(QUERIES) * row),
        PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(20)
    for number, (query, text) in enumerate(zip(QUERIES, evaluation.embed(QUERIES), strict=True)):
        top = GAP_PIXELS + number * row
        pen.text((GAP_PIXELS, top), f"“{query}”", fill=INK, font=font)
        for place, hit in enumerate(np.argsort(-(pool.embeddings @ text))[:HITS_PER_QUERY]):
            picture = paint(pool.scenes[hit], THUMBNAIL_SIZE)
            sheet.paste(
                picture, (GAP_PIXELS + place * (width + GAP_PIXELS), top + CAPTION_HEIGHT_PIXELS)
            )
    sheet.save(arguments.file, quality=88)


if __name__ == "__main__":
    main()
