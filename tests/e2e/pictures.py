"""Pictures that are made on the spot."""

from __future__ import annotations

import io

from PIL import Image


def picture(number: int, *, side: int = 96) -> bytes:
    """A JPEG of coloured blocks, another one for each number."""
    blocks = Image.new("RGB", (4, 4))
    blocks.putdata(
        [
            (number * 37 % 256, place * 61 * (number + 3) % 256, place * 16 ^ number * 11 & 255)
            for place in range(16)
        ]
    )
    file = io.BytesIO()
    blocks.resize((side, side), Image.Resampling.NEAREST).save(file, "JPEG", quality=90)
    return file.getvalue()
