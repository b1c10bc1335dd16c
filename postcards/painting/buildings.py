"""Subjects: buildings (house, lighthouse, windmill, castle)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.curve import arc, turned
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

_BLADE = ((0.0, 0.08), (0.0, 0.4), (0.085, 0.4), (0.085, 0.1))
_SPAR = ((-0.012, 0.0), (-0.012, 0.41), (0.014, 0.41), (0.014, 0.0))
_ARCH = ((-0.09, 0.0), *arc(0, 0.15, 0.09, 0.1, 180, 0, 8), (0.09, 0.0))


def house(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a gabled house with a slate roof, a chimney, a door and windows."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, CREAM if max(colour) < 240 else SLATE)
    brush.rectangle(0.26, 1.0, 0.4, 0.7, WOOD)
    brush.rectangle(-0.04, 0.56, 0.66, 0.0, base)
    brush.rectangle(-0.04, 0.56, 0.66, 0.46, shade)
    brush.polygon([(-0.6, 0), (-0.6, 0.54), (-0.32, 0.86), (-0.04, 0.54), (-0.04, 0)], light)
    brush.polygon([(-0.32, 0.9), (0.46, 0.9), (0.74, 0.52), (0.0, 0.52)], SLATE)
    brush.polygon([(-0.32, 0.9), (-0.32, 0.82), (-0.62, 0.49), (-0.67, 0.51)], CHARCOAL)
    brush.polygon([(-0.32, 0.9), (-0.32, 0.82), (-0.04, 0.51), (0.0, 0.52)], CHARCOAL)
    if is_snowy(brush):
        brush.polygon([(-0.32, 0.93), (0.46, 0.93), (0.67, 0.62), (-0.08, 0.62)], SNOW)
        brush.polygon([(-0.32, 0.93), (-0.32, 0.86), (-0.68, 0.51), (-0.69, 0.55)], SNOW)
        brush.rectangle(0.25, 1.02, 0.41, 0.98, SNOW)
    brush.rectangle(-0.4, 0.3, -0.24, 0.0, WOOD)
    lamp.rectangle(-0.39, 0.6, -0.25, 0.42, pane)
    for x in random.choice(((0.08, 0.28, 0.48), (0.12, 0.42))):
        lamp.rectangle(x, 0.36, x + 0.13, 0.16, pane)
        brush.line([(x + 0.065, 0.36), (x + 0.065, 0.16)], 0.016, WOOD)


def lighthouse(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a slender white tower with broad stripes, and a lantern on top."""
    light, base, shade = tones(colour)
    white = tones((248, 245, 236))
    if is_dark(brush):
        for reach in (-1.4, -1.05, -0.7, 0.7, 1.05, 1.4):
            brush.glowing.polygon(
                [(0, 0.845), (reach, 0.845 + abs(reach) / 9), (reach, 0.845 - abs(reach) / 11)],
                (255, 236, 180),
                alpha=0.12,
            )
    brush.polygon([(-0.2, 0), (-0.12, 0.76), (0.12, 0.76), (0.2, 0)], white.base)
    for low, high in ((0.0, 0.19), (0.29, 0.48), (0.58, 0.76)):
        left, right = 0.2 - low * 0.105, 0.2 - high * 0.105
        brush.polygon([(-left, low), (-right, high), (right, high), (left, low)], base)
        brush.polygon(
            [(-left, low), (-right, high), (-right * 0.55, high), (-left * 0.55, low)], light
        )
    brush.polygon([(0.19, 0), (0.11, 0.76), (0.045, 0.76), (0.07, 0)], (20, 20, 60), alpha=0.2)
    brush.rectangle(-0.05, 0.11, 0.05, 0.0, CHARCOAL)
    lamp, pane = window(brush, SLATE)
    for y in random.choice(((0.22, 0.52), (0.37,), (0.22, 0.37, 0.52))):
        lamp.rectangle(-0.025, y + 0.05, 0.025, y, pane)
    lamp, pane = window(brush, (226, 232, 226))
    lamp.rectangle(-0.085, 0.9, 0.085, 0.79, pane)
    brush.line([(0, 0.9), (0, 0.79)], 0.018, CHARCOAL)
    brush.rectangle(-0.16, 0.795, 0.16, 0.755, CHARCOAL)
    brush.polygon([(-0.12, 0.89), (-0.07, 0.95), (0, 0.975), (0.07, 0.95), (0.12, 0.89)], shade)
    brush.line([(0, 0.96), (0, 1.0)], 0.025, CHARCOAL)
    if is_snowy(brush):
        brush.polygon([(-0.09, 0.94), (-0.03, 0.98), (0.03, 0.98), (0.09, 0.94)], SNOW)
    if is_dark(brush):
        brush.glow(0, 0.845, 0.3, LAMP, alpha=0.9)


def windmill(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a tapering Dutch mill with four lattice sails."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, CREAM if max(colour) < 240 else SLATE)
    brush.polygon([(-0.33, 0), (-0.19, 0.64), (0.19, 0.64), (0.33, 0)], base)
    brush.polygon([(-0.33, 0), (-0.19, 0.64), (-0.08, 0.64), (-0.15, 0)], light)
    brush.polygon([(0.33, 0), (0.19, 0.64), (0.09, 0.64), (0.16, 0)], shade)
    brush.polygon(
        [(-0.22, 0.63), (-0.15, 0.73), (0, 0.78), (0.15, 0.73), (0.22, 0.63)],
        SNOW if is_snowy(brush) else SLATE,
    )
    brush.rectangle(-0.06, 0.17, 0.06, 0.0, WOOD)
    brush.rectangle(-0.38, 0.235, 0.38, 0.2, WOOD)
    lamp.rectangle(-0.04, 0.36, 0.04, 0.27, pane)
    hub = (0.0, 0.6)
    turn = random.uniform(20, 62)
    for quarter in range(4):
        blade = turned([(x, y + 0.6) for x, y in _BLADE], turn + quarter * 90, hub)
        brush.polygon(blade, CREAM)
        brush.line([*blade, blade[0]], 0.014, WOOD)
        middle = [
            ((blade[i][0] + blade[i + 1][0]) / 2, (blade[i][1] + blade[i + 1][1]) / 2)
            for i in (0, 2)
        ]
        brush.line(middle, 0.012, WOOD)
        brush.polygon(turned([(x, y + 0.6) for x, y in _SPAR], turn + quarter * 90, hub), WOOD)
    brush.ellipse(0, 0.6, 0.04, 0.04, CHARCOAL)


def castle(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a keep with battlements between two round towers with pointed roofs, and a pennant."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, CHARCOAL)
    brush.line([(0, 0.7), (0, 1.0)], 0.02, CHARCOAL)
    brush.polygon([(0, 1.0), (0.2, 0.955), (0, 0.9)], base)
    brush.rectangle(-0.24, 0.72, 0.24, 0.3, shade)
    _battlements(brush, (-0.26, 0.26), 0.7, 4, shade)
    brush.rectangle(-0.5, 0.42, 0.5, 0.0, base)
    _battlements(brush, (-0.42, 0.42), 0.42, 6, base)
    for x in (-0.54, 0.54):
        brush.rectangle(x - 0.16, 0.62, x + 0.16, 0.0, base)
        brush.rectangle(x - 0.16, 0.62, x - 0.05, 0.0, light)
        brush.rectangle(x + 0.06, 0.62, x + 0.16, 0.0, shade)
        brush.rectangle(x - 0.18, 0.65, x + 0.18, 0.58, shade)
        brush.polygon([(x - 0.2, 0.64), (x, 0.93), (x + 0.2, 0.64)], SLATE)
        if is_snowy(brush):
            brush.polygon([(x - 0.14, 0.74), (x, 0.95), (x + 0.14, 0.74), (x, 0.71)], SNOW)
        lamp.rectangle(x - 0.03, 0.45, x + 0.03, 0.33, pane)
    for x in random.choice(((-0.1, 0.1), (0.0,))):
        lamp.rectangle(x - 0.03, 0.63, x + 0.03, 0.54, pane)
    brush.polygon(_ARCH, CHARCOAL)
    if is_snowy(brush):
        brush.rectangle(-0.26, 0.8, 0.26, 0.77, SNOW)


def _battlements(
    brush: Brush, sides: tuple[float, float], foot: float, count: int, colour: Colour
) -> None:
    left, right = sides
    step = (right - left) / (2 * count - 1)
    points = [(left, foot)]
    for i in range(count):
        x = left + 2 * i * step
        points += [(x, foot), (x, foot + 0.08), (x + step, foot + 0.08), (x + step, foot)]
    brush.rectangle(left, foot + 0.02, right, foot, colour)
    brush.polygon([*points, (right, foot)], colour)
