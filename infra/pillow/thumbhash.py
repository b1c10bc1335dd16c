"""Encodes a picture as a ThumbHash, the tiny preview that clients paint before a thumbnail arrives.

The method is ThumbHash by Evan Wallace (evanw.github.io/thumbhash): a discrete cosine transform of
luminance and of two opponent colours, quantized to four bits a coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_SIDE_PIXELS = 100
_LUMINANCE_FREQUENCIES = 7
_COLOUR_FREQUENCIES = 3
# Not value / 255, which rounds otherwise than the reference implementation.
_INTENSITIES = np.array([1 / 255 * value for value in range(256)])


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
    red, green, blue = _INTENSITIES[np.frombuffer(rgb, np.uint8)].reshape(-1, 3).T

    longest = max(width, height)
    across = max(1, round(_LUMINANCE_FREQUENCIES * width / longest))
    down = max(1, round(_LUMINANCE_FREQUENCIES * height / longest))
    columns = _waves(width, frequencies=max(_COLOUR_FREQUENCIES, across))
    rows = _waves(height, frequencies=max(_COLOUR_FREQUENCIES, down))
    luminance = _transform((red + green + blue) / 3, columns, rows)
    columns, rows = columns[:_COLOUR_FREQUENCIES], rows[:_COLOUR_FREQUENCIES]
    yellow_blue = _transform((red + green) / 2 - blue, columns, rows)
    red_green = _transform(red - green, columns, rows)

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


def _waves(length: int, *, frequencies: int) -> NDArray[np.float64]:
    """Return a cosine along a side of the picture for each frequency."""
    return np.array(
        [
            # By the C library, whose rounding the hashes of single colours show.
            [cos(pi / length * frequency * (position + 0.5)) for position in range(length)]
            for frequency in range(frequencies)
        ]
    )


def _transform(
    channel: NDArray[np.float64], columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> _Spectrum:
    """Return the coefficients of a channel whose frequencies fall below the diagonal."""
    across, down = len(columns), len(rows)
    pixels = channel.reshape(rows.shape[1], columns.shape[1])
    coefficients: list[float] = []
    for row, wave in enumerate(rows):
        kept = [column for column in range(across) if column * down < across * (down - row)]
        # In a picture of one colour, AC coefficients are rounding errors, which the scale
        # magnifies. To hash it like the reference implementation, products and sums keep its
        # order: no matrix products, no sum for each row, and cumsum(), as sum() adds in pairs.
        products = pixels * columns[kept, None, :] * wave[:, None]
        totals = products.reshape(len(kept), -1).cumsum(axis=1)[:, -1]
        coefficients += (totals / channel.size).tolist()
    dc, *ac = coefficients
    return _Spectrum(dc, ac, scale=max(map(abs, ac)))
