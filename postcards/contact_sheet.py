"""Show what a model finds: queries and their first hits among held-out postcards, as one picture.

``python -m postcards.sheet docs/postcards.jpg`` makes the one in the README.
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
HITS = 5
SIZE = (300, 200)
GAP = 12
CAPTION = 34
PAPER, INK = (250, 246, 238), (44, 42, 48)


def main() -> None:
    """Search, and paint what was found."""
    parser = argparse.ArgumentParser(prog="python -m postcards.sheet", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=MODEL)
    arguments = parser.parse_args()
    evaluation = Evaluation(arguments.folder, console=Console(stderr=True))
    pool = evaluation.pool(held_out_scenes(1_000), "1,000 pictures")
    width, height = SIZE
    row = CAPTION + height + GAP
    sheet = Image.new("RGB", (GAP + HITS * (width + GAP), GAP + len(QUERIES) * row), PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(20)
    for number, (query, text) in enumerate(zip(QUERIES, evaluation.embed(QUERIES), strict=True)):
        top = GAP + number * row
        pen.text((GAP, top), f"“{query}”", fill=INK, font=font)
        for place, hit in enumerate(np.argsort(-(pool.embeddings @ text))[:HITS]):
            picture = paint(pool.scenes[hit], SIZE)
            sheet.paste(picture, (GAP + place * (width + GAP), top + CAPTION))
    sheet.save(arguments.file, quality=88)


if __name__ == "__main__":
    main()
