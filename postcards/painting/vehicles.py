"""Subjects: vehicles (car, train, aeroplane)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.curve import rounded
from postcards.painting.materials import (
    CHARCOAL,
    CREAM,
    GLASS,
    LAMP,
    SLATE,
    SNOW,
    STEEL,
    is_dark,
    is_snowy,
    tones,
    window,
)

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour

_CAR = rounded(
    (-1.1, 0.2), (-1.1, 0.2), (-1.1, 0.42), (-1.0, 0.54), (-0.72, 0.6), (-0.54, 0.9), (-0.3, 1.0),
    (0.1, 1.0), (0.3, 0.92), (0.54, 0.63), (0.9, 0.57), (1.07, 0.48), (1.1, 0.2), (1.1, 0.2),
)  # fmt: skip
_CAR_WINDOWS = rounded(
    (-0.6, 0.62), (-0.6, 0.62), (-0.44, 0.87), (-0.26, 0.92), (0.08, 0.92), (0.22, 0.86),
    (0.4, 0.62), (0.4, 0.62),
)  # fmt: skip
_CAR_SNOW = rounded(
    (-0.52, 0.93), (-0.32, 1.05), (0.1, 1.05), (0.34, 0.93), (0.1, 0.955), (-0.3, 0.955)
)
_FUSELAGE = rounded(
    (-1.36, 0.62), (-0.9, 0.66), (0.3, 0.7), (0.95, 0.66), (1.25, 0.48), (1.22, 0.38), (0.9, 0.3),
    (0.2, 0.27), (-0.6, 0.38),
)  # fmt: skip
_BELLY = rounded(
    (-1.2, 0.56), (0.2, 0.42), (1.22, 0.44), (1.2, 0.36), (0.9, 0.3), (0.2, 0.27), (-0.6, 0.38)
)
_COCKPIT = ((0.82, 0.66), (1.0, 0.64), (1.12, 0.54), (0.86, 0.54))


def car(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a rounded saloon of the fifties on two dark wheels."""
    light, base, shade = tones(colour)
    brush.polygon(_CAR, base)
    brush.polygon([(-1.1, 0.2), (-1.1, 0.34), (1.1, 0.34), (1.1, 0.2)], shade)
    brush.line([(-1.04, 0.47), (0.98, 0.5)], 0.045, light)
    brush.polygon(_CAR_WINDOWS, SLATE if is_dark(brush) else GLASS)
    brush.rectangle(-0.16, 0.95, -0.07, 0.6, base)
    brush.line([(-0.12, 0.6), (-0.12, 0.28)], 0.022, shade)
    brush.rectangle(-1.16, 0.27, -0.86, 0.17, STEEL)
    brush.rectangle(0.86, 0.27, 1.16, 0.17, STEEL)
    hub = random.choice((CREAM, STEEL))
    for x in (-0.64, 0.64):
        brush.sector(x, 0.2, 0.31, 0.32, 180, 360, shade)
        brush.ellipse(x, 0.22, 0.225, 0.225, CHARCOAL)
        brush.ellipse(x, 0.22, 0.11, 0.11, hub)
    if is_snowy(brush):
        brush.polygon(_CAR_SNOW, SNOW)
    if is_dark(brush):
        brush.glowing.polygon([(1.04, 0.46), (1.9, 0.5), (1.7, 0.05)], LAMP, alpha=0.22)
    lamp, pane = window(brush, CREAM)
    lamp.ellipse(1.02, 0.43, 0.07, 0.08, pane)


def train(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a steam locomotive that pulls two carriages."""
    light, base, shade = tones(colour)
    for x, y, size in ((0.74, 1.12, 0.13), (1.0, 1.1, 0.11), (1.2, 1.04, 0.08)):
        brush.ellipse(x, y, size * 1.4, size * random.uniform(0.8, 1), (228, 228, 232), alpha=0.7)
    brush.rectangle(-1.58, 0.22, 1.5, 0.15, CHARCOAL)
    _carriage(brush, -1.6, colour)
    _carriage(brush, -0.54, colour)
    lamp, pane = window(brush)
    brush.rectangle(0.52, 0.86, 0.9, 0.2, base)
    brush.rectangle(0.47, 0.95, 0.95, 0.84, SLATE)
    lamp.rectangle(0.6, 0.78, 0.82, 0.56, pane)
    brush.rectangle(0.9, 0.7, 1.5, 0.28, base)
    brush.rectangle(0.9, 0.7, 1.5, 0.6, light)
    brush.rectangle(0.52, 0.32, 1.52, 0.22, shade)
    brush.ellipse(1.5, 0.49, 0.07, 0.21, shade)
    brush.ellipse(1.0, 0.7, 0.09, 0.12, shade)
    brush.polygon([(1.24, 0.68), (1.38, 0.68), (1.42, 1.0), (1.2, 1.0)], CHARCOAL)
    brush.polygon([(1.44, 0.24), (1.56, 0.24), (1.7, 0.03), (1.44, 0.03)], SLATE)
    for x, size in ((0.7, 0.19), (1.1, 0.19), (1.4, 0.12)):
        brush.ellipse(x, size, size, size, CHARCOAL)
        brush.ellipse(x, size, size / 2, size / 2, STEEL)
    brush.line([(0.7, 0.17), (1.1, 0.17)], 0.04, STEEL)
    if is_snowy(brush):
        brush.rectangle(0.47, 1.0, 0.95, 0.92, SNOW)
    if is_dark(brush):
        brush.glowing.polygon([(1.56, 0.58), (2.5, 0.72), (2.3, 0.15)], LAMP, alpha=0.22)
        brush.glowing.ellipse(1.56, 0.58, 0.06, 0.07, LAMP)


def _carriage(brush: Brush, x: float, colour: Colour) -> None:
    _, base, shade = tones(colour)
    lamp, pane = window(brush, CREAM)
    brush.rectangle(x, 0.82, x + 0.98, 0.2, base)
    brush.rectangle(x, 0.32, x + 0.98, 0.2, shade)
    brush.polygon(
        [(x - 0.03, 0.8), (x + 0.03, 0.89), (x + 0.95, 0.89), (x + 1.01, 0.8)],
        SNOW if is_snowy(brush) else SLATE,
    )
    for i in range(4):
        left = x + 0.08 + i * 0.22
        lamp.rectangle(left, 0.7, left + 0.14, 0.5, pane)
    for wheel in (x + 0.22, x + 0.76):
        brush.ellipse(wheel, 0.12, 0.12, 0.12, CHARCOAL)
        brush.ellipse(wheel, 0.12, 0.05, 0.05, STEEL)


def aeroplane(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint an airliner with propellers from its side, with the near wing visible."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, _glass_beside(colour))
    brush.polygon([(0.3, 0.6), (-0.08, 0.62), (-0.42, 0.92), (-0.22, 0.92)], shade)
    brush.polygon([(-0.86, 0.6), (-1.1, 1.0), (-1.38, 1.0), (-1.34, 0.58)], base)
    brush.polygon([(-1.16, 0.6), (-1.24, 1.0), (-1.38, 1.0), (-1.34, 0.58)], shade)
    brush.polygon(_FUSELAGE, base)
    brush.polygon(_BELLY, shade)
    brush.line([(-1.2, 0.58), (0.2, 0.465), (1.2, 0.45)], 0.04, light)
    lamp.polygon(_COCKPIT, pane)
    for i in range(7):
        lamp.ellipse(-0.62 + i * 0.2, 0.565, 0.05, 0.055, pane)
    brush.polygon([(-1.0, 0.56), (-1.24, 0.56), (-1.52, 0.42), (-1.38, 0.41)], base)
    brush.polygon([(0.46, 0.42), (-0.2, 0.42), (-0.84, 0.0), (-0.5, 0.0)], base)
    brush.polygon([(0.06, 0.42), (-0.2, 0.42), (-0.84, 0.0), (-0.7, 0.0)], light)
    brush.ellipse(0.08, 0.2, 0.22, 0.075, shade)
    blade = random.uniform(0.13, 0.17)
    for x, y in ((0.31, 0.2), (1.28, 0.43)):
        brush.ellipse(x, y, 0.035, blade, SLATE)


def _glass_beside(colour: Colour) -> Colour:
    return SLATE if min(colour) > 200 else GLASS
