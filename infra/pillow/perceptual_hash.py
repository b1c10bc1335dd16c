"""The perceptual hash of a picture, and the digest of its pixels."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from PIL import Image

from domain.entities.images import FLAT
from infra.pillow.renditions import on_white

_LUMINANCE_SIDE = 64
_FREQUENCY_COUNT = 16
# Of the coefficients from their median, in grey levels. Measured: above 7 for photos and postcards,
# 2 for a page of text, 0.2 for blank paper with a scanner's noise. At 0.2, the compression to a
# JPEG of quality 75 flips 52 bits.
_MIN_MEDIAN_DEVIATION = 1.0

# The rows 1 to 16 of the orthonormal DCT-II matrix.
_DCT_BASIS = np.array(
    [
        [
            math.sqrt(2 / _LUMINANCE_SIDE)
            * math.cos(math.pi * frequency * (2 * sample + 1) / (2 * _LUMINANCE_SIDE))
            for sample in range(_LUMINANCE_SIDE)
        ]
        for frequency in range(1, _FREQUENCY_COUNT + 1)
    ]
)


def perceptual_hash(image: Image.Image) -> bytes:
    """Return 256 bits: which of 16 x 16 DCT coefficients exceed their median.

    After PDQ (Facebook, 2019), which is based on pHash (Zauner, 2010): the luminance, downscaled to
    64 x 64, and the DCT coefficients of the lowest frequencies without 0. Returns ``FLAT`` for a
    picture whose coefficients are about as small as rounding errors: paper, sky, a flag.
    """
    grey = on_white(image).convert("L").convert("F")
    # Pillow scales the filter's support with the reduction, so that every pixel counts.
    square = grey.resize((_LUMINANCE_SIDE, _LUMINANCE_SIDE), Image.Resampling.BILINEAR)
    levels = np.frombuffer(square.tobytes(), np.float32).reshape(square.size)
    # By horizontal, then by vertical frequency: the order of the hashes that are stored.
    coefficients = (_DCT_BASIS @ (levels @ _DCT_BASIS.T)).T
    deviations = coefficients - np.median(coefficients)
    if np.median(abs(deviations)) < _MIN_MEDIAN_DEVIATION:
        return FLAT
    return np.packbits(deviations > 0).tobytes()


def pixel_sha256(image: Image.Image, size: tuple[int, int]) -> str:
    """Return a SHA-256 of the pixels, on white, and of the picture's size before downscaling."""
    digest = hashlib.sha256("x".join(map(str, size)).encode())
    digest.update(on_white(image).tobytes())
    return digest.hexdigest()
