"""Encodes a picture as a ThumbHash, the tiny preview that clients paint before a thumbnail arrives.

The method is ThumbHash by Evan Wallace (evanw.github.io/thumbhash): a discrete cosine transform of
luminance and of two opponent colours, quantized to four bits a coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SIDE_PIXELS = 100
_LUMINANCE_FREQUENCIES = 7
_COLOUR_FREQUENCIES = 3
# Not value / 255, which rounds otherwise than the reference implementation.
_INTENSITIES = [1 / 255 * value for value in range(256)]


@dataclass(frozen=True, slots=True)
class _Spectrum:
    """The coefficients of a channel: the mean (DC), the others (AC), their largest magnitude."""

    dc: float
    ac: list[float]
    scale: float

    def nibbles(self) -> Iterator[int]:
        """Yield each AC coefficient as 0 to 15, from minus to plus the scale."""
        for coefficient in self.ac:
            normalized = 0.5 + 0.5 / self.scale * coefficient if self.scale else coefficient
            yield round(15 * normalized)


def thumbhash(width: int, height: int, rgb: bytes) -> bytes:
    """Return the ThumbHash of an opaque picture: 17 to 24 bytes.

    ``rgb`` holds ``height`` rows of ``width`` pixels of three bytes, 0 to 255. Raises ValueError
    where a side exceeds 100 pixels, the limit of the format, and where ``rgb`` has another length.
    """
    if not (0 < width <= MAX_SIDE_PIXELS and 0 < height <= MAX_SIDE_PIXELS):
        raise ValueError(f"{width}x{height} does not fit in {MAX_SIDE_PIXELS}x{MAX_SIDE_PIXELS}")
    if len(rgb) != 3 * width * height:
        raise ValueError(f"{len(rgb)} bytes are not {width}x{height} pixels of RGB")
    red, green, blue = ([_INTENSITIES[value] for value in rgb[channel::3]] for channel in range(3))
    pixels = list(zip(red, green, blue, strict=True))

    longest = max(width, height)
    across = max(1, round(_LUMINANCE_FREQUENCIES * width / longest))
    down = max(1, round(_LUMINANCE_FREQUENCIES * height / longest))
    columns = _column_waves(width, height, frequencies=max(_COLOUR_FREQUENCIES, across))
    rows = _row_waves(width, height, frequencies=max(_COLOUR_FREQUENCIES, down))
    luminance = _transform([(r + g + b) / 3 for r, g, b in pixels], columns, rows)
    columns, rows = columns[:_COLOUR_FREQUENCIES], rows[:_COLOUR_FREQUENCIES]
    yellow_blue = _transform([(r + g) / 2 - b for r, g, b in pixels], columns, rows)
    red_green = _transform([r - g for r, g, _ in pixels], columns, rows)

    is_landscape = width > height
    head = (
        round(63 * luminance.dc)
        | round(31.5 + 31.5 * yellow_blue.dc) << 6
        | round(31.5 + 31.5 * red_green.dc) << 12
        | round(31 * luminance.scale) << 18
    )
    tail = (
        (down if is_landscape else across)
        | round(63 * yellow_blue.scale) << 3
        | round(63 * red_green.scale) << 9
        | is_landscape << 15
    )
    nibbles = [*luminance.nibbles(), *yellow_blue.nibbles(), *red_green.nibbles()]
    nibbles += [0] * (len(nibbles) % 2)
    pairs = zip(nibbles[::2], nibbles[1::2], strict=True)
    coefficients = bytes(low | high << 4 for low, high in pairs)
    return head.to_bytes(3, "little") + tail.to_bytes(2, "little") + coefficients


def _column_waves(width: int, height: int, *, frequencies: int) -> list[list[float]]:
    """Return a cosine across the picture for each frequency, by pixel."""
    return [
        [cos(pi / width * frequency * (x + 0.5)) for x in range(width)] * height
        for frequency in range(frequencies)
    ]


def _row_waves(width: int, height: int, *, frequencies: int) -> list[list[float]]:
    """Return a cosine down the picture for each frequency, by pixel."""
    waves = []
    for frequency in range(frequencies):
        cosines = (cos(pi / height * frequency * (y + 0.5)) for y in range(height))
        waves.append([cosine for cosine in cosines for _ in range(width)])
    return waves


def _transform(
    channel: list[float], columns: list[list[float]], rows: list[list[float]]
) -> _Spectrum:
    """Return the coefficients of a channel whose frequencies fall below the diagonal."""
    across, down = len(columns), len(rows)
    # One list for each column frequency, as every row frequency needs it again.
    modulated = [
        [value * cosine for value, cosine in zip(channel, wave, strict=True)] for wave in columns
    ]
    coefficients = []
    for row, wave in enumerate(rows):
        for column, values in enumerate(modulated):
            if column * down >= across * (down - row):
                break
            # In a picture of one colour, AC coefficients are rounding errors, which the scale
            # magnifies. To hash it like the reference implementation, products and sums keep its
            # order: not sum(), which compensates since Python 3.12, and no sum for each row.
            total = 0.0
            for value, cosine in zip(values, wave, strict=True):
                total += value * cosine
            coefficients.append(total / len(channel))
    dc, *ac = coefficients
    return _Spectrum(dc, ac, scale=max(map(abs, ac)))
