"""Subjects: animals on land (horse, cow, sheep)."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

from postcards.painting.brush import mix
from postcards.painting.curve import moved, rounded
from postcards.painting.materials import CHARCOAL, CREAM, tones

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour

_HORSE = rounded(
    (-0.5, 0.58), (-0.44, 0.66), (-0.3, 0.68), (-0.08, 0.64), (0.1, 0.67), (0.22, 0.82),
    (0.34, 0.96), (0.39, 1.0), (0.41, 1.0), (0.43, 0.94), (0.5, 0.87), (0.61, 0.74), (0.61, 0.69),
    (0.55, 0.67), (0.46, 0.74), (0.39, 0.77), (0.35, 0.66), (0.3, 0.5), (0.2, 0.41), (0.0, 0.39),
    (-0.24, 0.43), (-0.4, 0.42), (-0.48, 0.48),
)  # fmt: skip
_FORELEG = rounded(
    (0.13, 0.48), (0.29, 0.5), (0.27, 0.36), (0.24, 0.22), (0.24, 0.07), (0.27, 0), (0.27, 0),
    (0.17, 0), (0.17, 0), (0.18, 0.1), (0.17, 0.24),
)  # fmt: skip
_FAR_FORELEG = rounded(
    (0.16, 0.46), (0.29, 0.48), (0.33, 0.3), (0.36, 0.2), (0.37, 0.07), (0.41, 0), (0.41, 0),
    (0.31, 0), (0.31, 0), (0.3, 0.1), (0.27, 0.23),
)  # fmt: skip
_HINDLEG = rounded(
    (-0.5, 0.52), (-0.24, 0.5), (-0.3, 0.36), (-0.37, 0.27), (-0.36, 0.2), (-0.36, 0.07),
    (-0.33, 0), (-0.33, 0), (-0.43, 0), (-0.43, 0), (-0.43, 0.12), (-0.45, 0.27), (-0.44, 0.34),
)  # fmt: skip
_MANE = rounded(
    (0.4, 1.0), (0.4, 1.0), (0.3, 0.95), (0.16, 0.82), (0.04, 0.66), (0.04, 0.66), (0.14, 0.7),
    (0.26, 0.82),
)  # fmt: skip
_TAIL = rounded(
    (-0.44, 0.66), (-0.54, 0.64), (-0.62, 0.48), (-0.6, 0.3), (-0.66, 0.2), (-0.53, 0.26),
    (-0.5, 0.42), (-0.49, 0.58),
)  # fmt: skip
_COW = rounded(
    (-0.66, 0.74), (-0.58, 0.82), (-0.3, 0.8), (0.1, 0.8), (0.34, 0.84), (0.5, 0.8), (0.5, 0.56),
    (0.42, 0.4), (0.24, 0.33), (-0.2, 0.31), (-0.56, 0.38), (-0.68, 0.56),
)  # fmt: skip
_COW_BELLY = rounded(
    (-0.66, 0.48), (-0.2, 0.4), (0.2, 0.42), (0.46, 0.5), (0.42, 0.4), (0.24, 0.33), (-0.2, 0.31),
    (-0.56, 0.38),
)  # fmt: skip
_NECK = rounded(
    (0.3, 0.83), (0.46, 0.86), (0.6, 0.84), (0.58, 0.56), (0.46, 0.42), (0.36, 0.42), (0.42, 0.62)
)
_COW_HEAD = rounded(
    (0.46, 0.86), (0.58, 0.9), (0.7, 0.86), (0.72, 0.72), (0.69, 0.54), (0.62, 0.5), (0.54, 0.53),
    (0.46, 0.7),
)  # fmt: skip
_BLAZE = rounded((0.57, 0.9), (0.63, 0.88), (0.66, 0.6), (0.58, 0.6))
_HORNS = rounded(
    (0.42, 1.02), (0.42, 1.02), (0.46, 0.94), (0.58, 0.91), (0.7, 0.94), (0.75, 1.02), (0.75, 1.02),
    (0.76, 0.9), (0.68, 0.84), (0.5, 0.84), (0.4, 0.9),
)  # fmt: skip
_EARS = rounded(
    (0.3, 0.8), (0.42, 0.84), (0.58, 0.8), (0.76, 0.84), (0.88, 0.8), (0.76, 0.73), (0.58, 0.74),
    (0.42, 0.73),
)  # fmt: skip
_SHEEP_FACE = rounded(
    (0.38, 0.74), (0.48, 0.82), (0.6, 0.76), (0.74, 0.56), (0.72, 0.48), (0.62, 0.45), (0.46, 0.54)
)
_SHEEP_EAR = rounded((0.44, 0.72), (0.4, 0.62), (0.28, 0.57), (0.24, 0.62), (0.32, 0.71))
_COW_PATCH = rounded(
    (-0.42, 0.8), (-0.12, 0.8), (-0.06, 0.66), (-0.2, 0.54), (-0.34, 0.58), (-0.44, 0.68)
)
_COW_PATCH_2 = rounded((0.08, 0.7), (0.26, 0.74), (0.32, 0.6), (0.22, 0.48), (0.1, 0.56))


def _woolly(rx: float, ry: float, curls: int) -> tuple[tuple[float, float], ...]:
    turns = [2 * pi * i / (curls * 5) for i in range(curls * 5)]
    swell = [0.9 + 0.1 * abs(sin(turn * curls / 2)) for turn in turns]
    return tuple(
        (rx * size * cos(turn), ry * size * sin(turn))
        for turn, size in zip(turns, swell, strict=True)
    )


_FLEECE = moved(_woolly(0.57, 0.4, 13), -0.08, 0.58)
_FLEECE_LIGHT = moved(_woolly(0.34, 0.17, 9), -0.17, 0.74)


def horse(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a horse on long legs, with a mane and a long tail."""
    light, base, shade = tones(colour)
    hair = light if max(colour) < 70 else mix(colour, (40, 36, 52), 0.5)
    stride = random.uniform(-0.02, 0.03)
    brush.polygon(_TAIL, hair)
    brush.polygon(moved(_FAR_FORELEG, stride, 0.0), shade)
    brush.polygon(moved(_HINDLEG, 0.13 - stride, 0.0), shade)
    brush.polygon(_HORSE, base)
    brush.polygon(_FORELEG, base)
    brush.polygon(_HINDLEG, base)
    for x in (0.17, 0.31 + stride, -0.43, -0.3 - stride):
        brush.rectangle(x, 0.045, x + 0.1, 0.0, CHARCOAL)
    brush.ellipse(-0.3, 0.58, 0.14, 0.06, light)
    brush.polygon(_MANE, hair)
    brush.ellipse(0.46, 0.865, 0.016, 0.018, CHARCOAL if max(colour) > 70 else CREAM)


def cow(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a boxy cow on short legs, with horns, an udder and patches."""
    light, base, shade = tones(colour)
    patch = light if max(colour) < 70 else mix(colour, (60, 52, 62), 0.32)
    brush.line([(-0.62, 0.78), (-0.72, 0.7), (-0.73, 0.4)], 0.028, shade)
    brush.ellipse(-0.73, 0.35, 0.035, 0.08, patch)
    for x in (-0.4, 0.2):
        brush.polygon([(x, 0.4), (x + 0.16, 0.4), (x + 0.13, 0), (x + 0.03, 0)], shade)
    brush.ellipse(-0.28, 0.31, 0.13, 0.09, (214, 170, 164))
    for x in (-0.62, 0.32):
        brush.polygon([(x - 0.02, 0.5), (x + 0.17, 0.44), (x + 0.13, 0), (x + 0.01, 0)], base)
        brush.rectangle(x + 0.01, 0.05, x + 0.13, 0.0, CHARCOAL)
    brush.polygon(_COW, base)
    brush.polygon(_COW_BELLY, shade)
    shift = random.uniform(-0.06, 0.06)
    brush.polygon(moved(_COW_PATCH, shift, 0), patch)
    brush.polygon(moved(_COW_PATCH_2, shift, 0), patch)
    brush.polygon(_NECK, shade)
    brush.polygon(_EARS, shade)
    brush.polygon(_HORNS, (198, 178, 146))
    brush.polygon(_COW_HEAD, base)
    brush.polygon(_BLAZE, patch)
    brush.ellipse(0.615, 0.54, 0.12, 0.085, (206, 176, 168))
    for x in (0.53, 0.675):
        brush.ellipse(x, 0.74, 0.024, 0.028, CHARCOAL if max(colour) > 70 else CREAM)
        brush.ellipse(x + 0.015, 0.54, 0.02, 0.016, CHARCOAL)


def sheep(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a round woolly sheep with a dark grey face."""
    light, base, shade = tones(colour)
    face = (104, 102, 110) if max(colour) < 70 else (74, 70, 78)
    for x in (-0.4, -0.22, 0.1, 0.26):
        brush.rectangle(x, 0.35, x + 0.09, 0.0, face)
    brush.polygon(_FLEECE, shade)
    brush.polygon(moved(_FLEECE, -0.02, 0.06, by_x=0.95, by_y=0.93), base)
    brush.polygon(moved(_FLEECE_LIGHT, random.uniform(-0.03, 0.03), 0), light)
    brush.ellipse(-0.62, 0.62, 0.08, 0.1, base)
    brush.polygon(_SHEEP_FACE, face)
    brush.polygon(_SHEEP_EAR, mix(face, CHARCOAL, 0.5))
    brush.ellipse(0.44, 0.83, 0.14, 0.09, base)
    brush.ellipse(0.42, 0.85, 0.09, 0.05, light)
    brush.ellipse(0.58, 0.67, 0.026, 0.028, CREAM)
