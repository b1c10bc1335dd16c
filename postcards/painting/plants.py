"""Subjects: plants (tree, palm, cactus)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.curve import arc, moved, rounded, turned
from postcards.painting.materials import CREAM, SNOW, WOOD, is_snowy, tones

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour

_TRUNK = rounded(
    (-0.13, 0), (-0.13, 0), (0.11, 0), (0.11, 0), (0.05, 0.14), (0.05, 0.45), (-0.06, 0.45),
    (-0.05, 0.14),
)  # fmt: skip
_CROWN = ((-0.2, 0.5, 0.22), (0.22, 0.5, 0.21), (-0.12, 0.7, 0.22), (0.16, 0.72, 0.2),
          (0.0, 0.79, 0.21), (0.0, 0.56, 0.24))  # fmt: skip
_PALM_TRUNK = rounded(
    (-0.12, 0), (-0.12, 0), (0.06, 0), (0.06, 0), (0.01, 0.2), (0.05, 0.5), (0.16, 0.8),
    (0.09, 0.82), (-0.03, 0.5), (-0.07, 0.2),
)  # fmt: skip
_FROND = rounded(
    (0, 0), (0, 0), (0.14, 0.09), (0.34, 0.06), (0.5, -0.1), (0.54, -0.22), (0.54, -0.22),
    (0.42, -0.11), (0.3, -0.04), (0.14, -0.01),
)  # fmt: skip
_FRONDS = tuple(
    moved(turned(moved(_FROND, 0, 0, by_x=side * size, by_y=size), side * turn), 0.12, 0.82)
    for side, size, turn in (
        (1, 0.9, -38), (-1, 0.9, -38), (1, 1.05, -2), (-1, 1.05, -2), (1, 0.9, 34), (-1, 0.85, 36),
    )
)  # fmt: skip


_TREE_SNOW = (
    rounded(
        (-0.2, 0.9), (-0.1, 0.99), (0.04, 1.01), (0.16, 0.96), (0.22, 0.86), (0.1, 0.89),
        (0.02, 0.84), (-0.08, 0.9),
    ),
    rounded((-0.41, 0.58), (-0.36, 0.7), (-0.24, 0.73), (-0.16, 0.64), (-0.26, 0.66)),
    rounded((0.2, 0.64), (0.3, 0.7), (0.4, 0.66), (0.43, 0.55), (0.32, 0.63)),
)  # fmt: skip


def _column(left: float, right: float, low: float, top: float) -> tuple[tuple[float, float], ...]:
    middle, half = (left + right) / 2, (right - left) / 2
    return ((right, low), *arc(middle, top - half, half, half, 0, 180), (left, low))


_STEM = _column(-0.12, 0.12, 0, 1.0)
_ARMS = (
    rounded(
        (-0.1, 0.3), (-0.28, 0.3), (-0.4, 0.38), (-0.42, 0.5), (-0.42, 0.66), (-0.35, 0.72),
        (-0.28, 0.66), (-0.28, 0.52), (-0.24, 0.45), (-0.1, 0.44),
    ),
    rounded(
        (0.1, 0.44), (0.26, 0.44), (0.38, 0.52), (0.41, 0.64), (0.41, 0.78), (0.34, 0.85),
        (0.27, 0.78), (0.27, 0.66), (0.23, 0.59), (0.1, 0.58),
    ),
)  # fmt: skip


def tree(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a leafy tree with a round crown of clumps."""
    light, base, shade = tones(colour)
    brush.polygon(_TRUNK, WOOD)
    clumps = [(x + random.uniform(-0.02, 0.02), y, size) for x, y, size in _CROWN]
    for x, y, size in clumps:
        brush.ellipse(x, y, size, size, shade)
    for x, y, size in clumps:
        brush.ellipse(x - size * 0.12, y + size * 0.1, size * 0.84, size * 0.84, base)
    for x, y, size in clumps[2:5]:
        brush.ellipse(x - size * 0.25, y + size * 0.28, size * 0.5, size * 0.42, light)
    if is_snowy(brush):
        for cap in _TREE_SNOW:
            brush.polygon(cap, SNOW)


def palm(brush: Brush, _colour: Colour, random: Random) -> None:
    """Paint a palm with a slender bent trunk and drooping fronds."""
    light, base, shade = tones((66, 136, 78))
    brush.polygon(_PALM_TRUNK, (134, 100, 70))
    for y in (0.12, 0.24, 0.36, 0.48, 0.6):
        brush.line([(-0.07 + y * y * 0.3, y), (0.02 + y * y * 0.3, y + 0.012)], 0.014, WOOD)
    tip = random.uniform(0.94, 1.0)
    for frond, tone in zip(_FRONDS, (shade, shade, base, base, light, base), strict=True):
        brush.polygon(frond, tone)
    brush.polygon([(0.08, 0.82), (0.02, tip - 0.04), (0.1, tip), (0.18, 0.82)], base)
    brush.ellipse(0.08, 0.79, 0.04, 0.04, WOOD)
    brush.ellipse(0.17, 0.79, 0.04, 0.04, WOOD)


def cactus(brush: Brush, _colour: Colour, random: Random) -> None:
    """Paint a saguaro with two raised arms."""
    light, base, shade = tones((72, 128, 84))
    for arm in _ARMS:
        brush.polygon(arm, base)
    brush.polygon(_STEM, base)
    brush.polygon(_column(0.03, 0.12, 0, 0.94), shade)
    for x in (-0.07, 0.0):
        brush.line([(x, 0.04), (x, 0.9)], 0.02, light)
    brush.line([(-0.35, 0.66), (-0.35, 0.5), (-0.28, 0.38), (-0.14, 0.37)], 0.018, light)
    brush.line([(0.34, 0.78), (0.34, 0.64), (0.26, 0.52), (0.14, 0.51)], 0.018, light)
    if random.random() < 0.5:
        brush.ellipse(0.0, 0.985, 0.05, 0.03, CREAM)
    if is_snowy(brush):
        brush.ellipse(0, 0.975, 0.09, 0.03, SNOW)
