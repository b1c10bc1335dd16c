"""What two files of the same picture have in common: its structure, and its very pixels.

In plain Python, a few milliseconds a picture: no process that decodes loads numpy for that.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from operator import mul
from statistics import median
from typing import TYPE_CHECKING

from PIL import Image

from domain.entities.images import FLAT
from infra.pillow.renditions import on_white

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SIDE = 64
_FREQUENCIES = 16
# In grey levels. Measured: half of the coefficients of a photo or a postcard exceed 7, of a page of
# text 2; of paper with a scanner's noise 0.2, and there a JPEG at quality 75 turns 52 bits.
_LEAST_STRUCTURE = 1.0

# The cosines of the frequencies 1 to 16, as an orthonormal DCT-II has them.
_WAVES = [
    [
        math.sqrt(2 / _SIDE) * math.cos(math.pi * frequency * (2 * place + 1) / (2 * _SIDE))
        for place in range(_SIDE)
    ]
    for frequency in range(1, _FREQUENCIES + 1)
]


def perceptual_hash(image: Image.Image) -> bytes:
    """Return 256 bits: which of the 16 x 16 lowest frequencies exceed their median.

    After PDQ (Facebook, 2019), itself after pHash (Zauner, 2010): luminance, reduced smoothly to a
    square of 64 x 64, a DCT without the frequency 0 in either direction. ``FLAT`` for a picture in
    which half of the frequencies are about as weak as rounding: paper, sky, a flag.
    """
    grey = on_white(image).convert("L").convert("F")
    # Pillow widens the triangle with the reduction: every pixel counts.
    square = grey.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    levels = array("f", square.tobytes())
    rows = [levels[start : start + _SIDE] for start in range(0, _SIDE * _SIDE, _SIDE)]
    columns = zip(*_spectra(rows), strict=True)
    strengths = [strength for spectrum in _spectra(columns) for strength in spectrum]
    middle = median(strengths)
    if median(abs(strength - middle) for strength in strengths) < _LEAST_STRUCTURE:
        return FLAT
    bits = "".join("01"[strength > middle] for strength in strengths)
    return int(bits, 2).to_bytes(len(FLAT))


def _spectra(rows: Iterable[Sequence[float]]) -> list[list[float]]:
    return [[sum(map(mul, wave, row)) for wave in _WAVES] for row in rows]


def pixel_sha256(image: Image.Image, size: tuple[int, int]) -> str:
    """Return a digest of the pixels, on white, and of the size that the file gives."""
    digest = hashlib.sha256("x".join(map(str, size)).encode())
    digest.update(on_white(image).tobytes())
    return digest.hexdigest()
