"""Subjects: boats (sailboat, ship)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.curve import rounded
from postcards.painting.materials import CHARCOAL, CREAM, SLATE, WOOD, tones, window

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour

_MAINSAIL = rounded(
    (0.02, 1.0), (0.02, 1.0), (0.02, 0.19), (0.02, 0.19), (-0.52, 0.2), (-0.52, 0.2), (-0.3, 0.62)
)
_MAINSAIL_SHADE = rounded(
    (0.02, 1.0), (0.02, 1.0), (0.02, 0.19), (0.02, 0.19), (-0.2, 0.19), (-0.2, 0.19), (-0.08, 0.62)
)
_JIB = rounded(
    (0.07, 0.9), (0.07, 0.9), (0.54, 0.2), (0.54, 0.2), (0.1, 0.24), (0.1, 0.24), (0.15, 0.5)
)
_HULL = rounded(
    (-0.56, 0.13), (-0.56, 0.13), (0.1, 0.1), (0.66, 0.18), (0.66, 0.18), (0.46, -0.02),
    (0.4, -0.05), (0.4, -0.05), (-0.44, -0.05), (-0.44, -0.05),
)  # fmt: skip
_STEAMER = rounded(
    (-0.9, 0.36), (-0.9, 0.36), (0.2, 0.33), (0.92, 0.44), (0.92, 0.44), (0.8, 0.14),
    (0.76, -0.05), (0.76, -0.05), (-0.74, -0.05), (-0.74, -0.05), (-0.84, 0.12),
)  # fmt: skip


def sailboat(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint two triangular sails over a dark wooden hull."""
    light, base, shade = tones(colour)
    brush.polygon(_JIB, light)
    brush.polygon(_MAINSAIL, base)
    brush.polygon(_MAINSAIL_SHADE, shade)
    for height in random.choice(((0.4, 0.62), (0.45,), (0.36, 0.55, 0.74))):
        brush.line([(0.02, height), (-0.5 + height * 0.38, height + 0.02)], 0.012, shade)
    brush.line([(0.045, 0.08), (0.045, 1.02)], 0.03, WOOD)
    brush.line([(0.045, 0.18), (-0.54, 0.19)], 0.024, WOOD)
    brush.polygon(_HULL, WOOD)
    brush.line([(-0.54, 0.1), (0.1, 0.07), (0.6, 0.14)], 0.024, CREAM)
    brush.ellipse(0, -0.05, 0.6, 0.018, (236, 244, 248), alpha=0.6)


def ship(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a steamer with a broad hull, a row of portholes, white decks and a smoking funnel."""
    light, base, shade = tones(colour)
    lamp, pane = window(brush, SLATE)
    for x, y, size in ((-0.62, 1.02, 0.09), (-0.44, 1.0, 0.08), (-0.28, 0.98, 0.06)):
        brush.ellipse(x, y, size * 1.5, size * random.uniform(0.7, 0.9), (226, 226, 230), alpha=0.6)
    brush.line([(0.62, 0.36), (0.62, 0.86)], 0.022, SLATE)
    brush.line([(-0.72, 0.34), (-0.72, 0.74)], 0.022, SLATE)
    brush.polygon([(-0.2, 0.6), (0.06, 0.6), (0.02, 0.97), (-0.21, 0.97)], base)
    brush.polygon([(-0.2, 0.6), (-0.1, 0.6), (-0.12, 0.97), (-0.21, 0.97)], shade)
    brush.polygon([(-0.21, 0.88), (0.03, 0.88), (0.02, 0.98), (-0.21, 0.98)], CHARCOAL)
    brush.rectangle(-0.56, 0.52, 0.5, 0.32, CREAM)
    brush.rectangle(-0.4, 0.64, 0.36, 0.52, CREAM)
    brush.rectangle(-0.6, 0.53, 0.53, 0.505, SLATE)
    lamp.rectangle(0.16, 0.61, 0.33, 0.55, pane)
    for x in (-0.48, -0.28, -0.08, 0.12, 0.32):
        lamp.rectangle(x, 0.475, x + 0.1, 0.41, pane)
    brush.polygon(_STEAMER, base)
    brush.polygon([(-0.83, 0.1), (0.79, 0.1), (0.76, -0.05), (-0.74, -0.05)], shade)
    brush.line([(-0.89, 0.345), (0.2, 0.315), (0.9, 0.42)], 0.03, light)
    lamp, pane = window(brush, CREAM)
    for i in range(7):
        lamp.ellipse(-0.66 + i * 0.2, 0.21, 0.032, 0.032, pane)
    brush.ellipse(0, -0.05, 0.84, 0.02, (236, 244, 248), alpha=0.6)
