"""Subjects: moon and rainbow."""

from __future__ import annotations

from math import acos, cos, degrees, radians, sin
from typing import TYPE_CHECKING

from postcards.painting.curve import arc

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour
    from postcards.painting.curve import Outline

_MOONLIGHT = (255, 244, 206)


def _crescent(bite: float, away: float, towards: float) -> Outline:
    """Return the outline of a disk minus a smaller disk."""
    along = (0.25 - bite**2 + away**2) / (2 * away)
    outer, inner = (degrees(acos(share)) for share in (along / 0.5, (along - away) / bite))
    x, y = away * cos(radians(towards)), 0.5 + away * sin(radians(towards))
    return (
        *arc(0, 0.5, 0.5, 0.5, towards + outer, towards + 360 - outer, 36),
        *arc(x, y, bite, bite, towards + 360 - inner, towards + inner, 30),
    )


_CRESCENTS = (_crescent(0.4, 0.22, 28), _crescent(0.4, 0.28, 20), _crescent(0.42, 0.2, 35))
_RAINBOW_COLOURS = (
    (222, 62, 58), (240, 138, 52), (250, 216, 84), (84, 174, 96), (76, 160, 214), (62, 92, 184),
    (134, 82, 172),
)  # fmt: skip
_RAINBOW_BAND_WIDTH = 0.052
_RAINBOW_ARCS = tuple(
    (*arc(0, 0, 1.3 - i * _RAINBOW_BAND_WIDTH, 1 - i * _RAINBOW_BAND_WIDTH, 0, 180, 32),
     *arc(0, 0, 1.3 - (i + 1) * _RAINBOW_BAND_WIDTH, 1 - (i + 1) * _RAINBOW_BAND_WIDTH, 180, 0, 32))
    for i in range(7)
)  # fmt: skip


def moon(brush: Brush, _colour: Colour, random: Random) -> None:
    """Paint a bright crescent."""
    shine = brush.glowing
    shine.glow(0, 0.5, 1.1, _MOONLIGHT, alpha=random.uniform(0.35, 0.5))
    shine.ellipse(0, 0.5, 0.49, 0.49, _MOONLIGHT, alpha=0.1)
    shine.polygon(random.choice(_CRESCENTS), _MOONLIGHT)


def rainbow(brush: Brush, _colour: Colour, _random: Random) -> None:
    """Paint an arc of seven translucent bands."""
    for outline, band in zip(_RAINBOW_ARCS, _RAINBOW_COLOURS, strict=True):
        brush.polygon(outline, band, alpha=0.75)
