"""Subjects: outdoor leisure (balloon, kite, tent, parasol, snowman)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from postcards.painting.brush import mix
from postcards.painting.curve import arc, moved, rounded, turned
from postcards.painting.materials import (
    CHARCOAL,
    CREAM,
    LAMP,
    SLATE,
    SNOW,
    WOOD,
    is_dark,
    is_snowy,
    tones,
    window,
)

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour
    from postcards.painting.curve import Outline

_ENVELOPE = rounded(
    (0, 1.0), (0.2, 0.95), (0.345, 0.82), (0.385, 0.65), (0.33, 0.49), (0.2, 0.35), (0.09, 0.24),
    (0.09, 0.24), (-0.09, 0.24), (-0.09, 0.24), (-0.2, 0.35), (-0.33, 0.49), (-0.385, 0.65),
    (-0.345, 0.82), (-0.2, 0.95),
)  # fmt: skip
_SLICES = tuple(moved(_ENVELOPE, 0, 0, by_x=share) for share in (1, 0.78, 0.48, 0.17))
_RIBS = (-0.68, -0.42, -0.15, 0.15, 0.42, 0.68)
_TILT = -9
(_TOP,) = turned([(0, 0.98)], _TILT, (0, 0.2))
_SNOW_CAP = turned(
    [*arc(0, 0.57, 0.68, 0.42, 133, 47, 10), (0.24, 0.9), (0.05, 0.84), (-0.2, 0.91)],
    _TILT, (0, 0.2),
)  # fmt: skip


def _panel(left: float, right: float) -> Outline:
    """Return the outline of the cloth between two ribs, with a scalloped rim."""
    up = tuple((1 - i * i / 36) ** 0.5 for i in range(7))
    return turned(
        [
            *((left * share, 0.56 + 0.07 * i) for i, share in enumerate(up)),
            *((right * share, 0.56 + 0.07 * i) for i, share in reversed([*enumerate(up)])),
            *arc((left + right) / 2, 0.56, (right - left) / 2, 0.05, 0, -180, 5),
        ],
        _TILT,
        (0, 0.2),
    )


_PANELS = tuple(_panel(left, right) for left, right in pairwise(_RIBS))


def balloon(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a hot-air balloon of several panels over a wicker basket."""
    light, base, shade = tones(colour)
    panels = (shade, base, light, base) if random.random() < 0.5 else (base, shade, base, light)
    for outline, panel in zip(_SLICES, panels, strict=True):
        brush.polygon(outline, panel)
    brush.line([(-0.085, 0.25), (-0.075, 0.12)], 0.012, WOOD)
    brush.line([(0.085, 0.25), (0.075, 0.12)], 0.012, WOOD)
    brush.rectangle(-0.09, 0.25, 0.09, 0.225, WOOD)
    brush.polygon([(-0.09, 0.13), (0.09, 0.13), (0.07, 0), (-0.07, 0)], WOOD)
    brush.rectangle(-0.1, 0.14, 0.1, 0.11, CREAM)
    if is_dark(brush):
        brush.glow(0, 0.3, 0.22, LAMP, alpha=0.9)


def kite(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a diamond-shaped kite of four facets with a tail of bows."""
    light, base, shade = tones(colour)
    sway = random.uniform(-0.03, 0.03)
    top, right, low, left, middle = (0.1, 1.0), (0.36, 0.74), (0, 0.3), (-0.3, 0.66), (0.065, 0.71)
    tail = [low, (-0.1, 0.17), (-0.24, 0.12 + sway), (-0.4, 0.18), (-0.56, 0.12), (-0.66, 0.03)]
    brush.line([(0.05, 0.6), (0.07, 0.0)], 0.01, CREAM)
    brush.line(tail, 0.02, SLATE)
    for x, y in tail[1::2]:
        brush.polygon(
            [
                (x - 0.08, y + 0.05),
                (x + 0.08, y - 0.05),
                (x + 0.08, y + 0.05),
                (x - 0.08, y - 0.05),
            ],
            base,
        )
    brush.polygon([top, right, low, left], base)
    brush.polygon([top, middle, left], light)
    brush.polygon([middle, right, low], shade)
    brush.line([top, low], 0.014, CREAM)
    brush.line([left, middle, right], 0.014, CREAM)


def tent(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a ridge tent with an open front."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, CHARCOAL)
    brush.line([(-0.3, 0.98), (-0.95, 0.0)], 0.014, CREAM)
    brush.line([(0.56, 0.92), (1.05, 0.0)], 0.014, CREAM)
    brush.polygon([(-0.3, 1.0), (0.55, 0.94), (0.9, 0), (0.14, 0)], base)
    brush.polygon([(0.62, 0.75), (0.9, 0), (0.66, 0), (0.5, 0.42)], shade)
    for x in random.choice(((0.36,), (0.28, 0.5))):
        brush.line([(-0.3 + (x - 0.14) * 1.1, 0.98), (x, 0)], 0.014, shade)
    brush.polygon([(-0.3, 1.0), (-0.74, 0), (0.14, 0)], light)
    lamp.polygon([(-0.3, 0.74), (-0.5, 0), (-0.1, 0)], pane)
    brush.polygon([(-0.3, 0.74), (-0.1, 0), (0.0, 0.0), (-0.13, 0.26)], shade)
    if is_snowy(brush):
        brush.polygon(
            [(-0.3, 1.03), (0.55, 0.97), (0.63, 0.72), (0.4, 0.8), (0.2, 0.7), (-0.17, 0.78)], SNOW
        )


def parasol(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a tilted beach parasol with a scalloped rim and a pole."""
    light, base, shade = tones(colour)
    pale = mix(base, (255, 250, 232), 0.35)
    low, high = turned([(0, -0.05), (0, 1.01)], _TILT, (0, 0.2))
    brush.ellipse(0.0, 0.0, 0.2, 0.03, (90, 80, 80), alpha=0.25)
    brush.line([(low[0], 0), high], 0.035, WOOD)
    stripes = (pale, base, light, base, shade) if random.random() < 0.5 else (
        base, light, base, light, shade)  # fmt: skip
    for outline, panel in zip(_PANELS, stripes, strict=True):
        brush.polygon(outline, panel)
    brush.ellipse(_TOP[0], _TOP[1], 0.03, 0.03, WOOD)
    if is_snowy(brush):
        brush.polygon(_SNOW_CAP, SNOW)


def snowman(brush: Brush, _colour: Colour, random: Random) -> None:
    """Paint three balls of snow with a hat, a scarf and a carrot for a nose."""
    light, base, shade = tones((244, 247, 252))
    raised = random.uniform(0.6, 0.72)
    brush.line([(-0.16, 0.5), (-0.46, raised)], 0.026, WOOD)
    brush.line([(0.16, 0.5), (0.46, raised - 0.04)], 0.026, WOOD)
    for y, size in ((0.24, 0.27), (0.52, 0.2), (0.74, 0.145)):
        brush.ellipse(0, y, size, size * 0.92, shade)
        brush.ellipse(-size * 0.12, y + size * 0.06, size * 0.86, size * 0.84, base)
        brush.ellipse(-size * 0.3, y + size * 0.2, size * 0.5, size * 0.5, light)
    for y in (0.58, 0.48, 0.32):
        brush.ellipse(0.03, y, 0.022, 0.022, CHARCOAL)
    brush.rectangle(-0.14, 0.66, 0.14, 0.605, SLATE)
    brush.polygon([(0.05, 0.64), (0.13, 0.64), (0.15, 0.46), (0.06, 0.46)], SLATE)
    brush.ellipse(-0.03, 0.79, 0.02, 0.022, CHARCOAL)
    brush.ellipse(0.08, 0.79, 0.02, 0.022, CHARCOAL)
    brush.polygon([(0.02, 0.765), (0.02, 0.72), (0.24, 0.73)], (226, 128, 58))
    brush.rectangle(-0.19, 0.87, 0.19, 0.835, CHARCOAL)
    brush.rectangle(-0.115, 1.0, 0.115, 0.86, CHARCOAL)
    brush.rectangle(-0.115, 0.9, 0.115, 0.87, SLATE)
