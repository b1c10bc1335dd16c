"""Subjects: swimming and flying animals (whale, duck, bird)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import mix
from postcards.painting.curve import rounded
from postcards.painting.materials import CHARCOAL, CREAM, tones

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour

_OCHRE = (214, 146, 70)
_WHALE = rounded(
    (1.0, 0.24), (0.9, 0.5), (0.6, 0.64), (0.2, 0.62), (-0.25, 0.42), (-0.55, 0.3), (-0.76, 0.44),
    (-0.84, 0.62), (-0.98, 0.5), (-0.84, 0.14), (-0.62, -0.03), (-0.62, -0.03), (0.92, -0.03),
    (0.92, -0.03),
)  # fmt: skip
_FLUKES = rounded(
    (-0.84, 0.5), (-0.74, 0.66), (-0.54, 0.74), (-0.5, 0.8), (-0.72, 0.82), (-0.86, 0.7),
    (-0.98, 0.84), (-1.14, 0.86), (-1.1, 0.74), (-0.98, 0.62),
)  # fmt: skip
_WHALE_BELLY = rounded(
    (1.0, 0.22), (0.6, 0.18), (0.2, 0.1), (-0.2, -0.03), (-0.2, -0.03), (0.92, -0.03),
    (0.92, -0.03),
)  # fmt: skip
_FIN = rounded((0.3, 0.16), (0.42, 0.14), (0.3, -0.02), (0.1, -0.06), (0.18, 0.04))
_DUCK = rounded(
    (0.6, 0.36), (0.58, 0.2), (0.44, 0.04), (0.3, -0.03), (-0.3, -0.03), (-0.5, 0.12),
    (-0.62, 0.34), (-0.76, 0.54), (-0.54, 0.5), (-0.3, 0.42), (0.0, 0.42), (0.22, 0.48),
    (0.29, 0.62), (0.28, 0.76), (0.52, 0.76), (0.52, 0.6), (0.56, 0.5),
)  # fmt: skip
_DUCK_WING = rounded(
    (0.22, 0.34), (0.2, 0.16), (-0.04, 0.1), (-0.28, 0.18), (-0.5, 0.36), (-0.5, 0.36),
    (-0.14, 0.38),
)  # fmt: skip
_BILL = rounded((0.56, 0.8), (0.66, 0.76), (0.8, 0.72), (0.78, 0.67), (0.64, 0.66), (0.54, 0.68))
_BODY = rounded(
    (0.66, 0.36), (0.56, 0.44), (0.44, 0.44), (0.3, 0.38), (0.0, 0.38), (-0.35, 0.28), (-0.72, 0.2),
    (-0.72, 0.2), (-0.62, 0.1), (-0.7, 0.0), (-0.7, 0.0), (-0.3, 0.1), (0.1, 0.08), (0.4, 0.18),
    (0.52, 0.28),
)  # fmt: skip
_NEAR_WING = rounded(
    (0.26, 0.34), (0.16, 0.54), (-0.1, 0.76), (-0.46, 0.9), (-0.95, 1.0), (-0.95, 1.0),
    (-0.66, 0.76), (-0.4, 0.5), (-0.2, 0.3), (0.06, 0.22),
)  # fmt: skip
_NEAR_TIP = rounded(
    (-0.95, 1.0), (-0.95, 1.0), (-0.46, 0.9), (-0.46, 0.9), (-0.5, 0.7), (-0.56, 0.65),
    (-0.56, 0.65), (-0.66, 0.76),
)  # fmt: skip
_FAR_WING = rounded(
    (0.02, 0.34), (0.2, 0.62), (0.48, 0.84), (0.95, 0.94), (0.95, 0.94), (0.72, 0.74),
    (0.5, 0.5), (0.34, 0.32),
)  # fmt: skip


def whale(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a whale that lifts its flukes and spouts."""
    light, base, shade = tones(colour)
    spray = (222, 238, 248)
    lean = random.uniform(-0.02, 0.02)
    for side in (-1, 1):
        brush.line(
            [(0.5, 0.6), (0.5 + side * 0.04, 0.8), (0.5 + side * 0.13 + lean, 0.95),
             (0.5 + side * 0.25, 0.93), (0.5 + side * 0.33, 0.83)], 0.075, spray,
        )  # fmt: skip
        brush.ellipse(0.5 + side * 0.36, 0.76, 0.035, 0.05, spray)
    brush.polygon(_FLUKES, shade)
    brush.polygon(_WHALE, base)
    brush.polygon(_WHALE_BELLY, shade if min(colour) > 200 else mix(light, CREAM, 0.35))
    brush.polygon(_FIN, shade)
    brush.ellipse(0.68, 0.31, 0.03, 0.035, CHARCOAL if max(colour) > 70 else CREAM)
    brush.ellipse(0.12, -0.03, 0.9, 0.025, (236, 244, 248), alpha=0.6)


def duck(brush: Brush, colour: Colour, random: Random) -> None:
    """Paint a swimming duck with its head and its tail up."""
    light, base, shade = tones(colour)
    brush.polygon(_DUCK, base)
    brush.polygon(_BILL, _OCHRE)
    brush.ellipse(0.42, 0.81, 0.19, 0.18, base)
    brush.ellipse(0.4, 0.86, 0.12, 0.1, light)
    brush.polygon(_DUCK_WING, shade)
    lift = random.uniform(0, 0.03)
    brush.line([(-0.36, 0.3 + lift), (-0.1, 0.22 + lift), (0.1, 0.24)], 0.025, base)
    brush.ellipse(0.5, 0.84, 0.032, 0.036, CHARCOAL)
    brush.ellipse(0, -0.03, 0.66, 0.03, (236, 244, 248), alpha=0.6)


def bird(brush: Brush, colour: Colour, _random: Random) -> None:
    """Paint a bird in flight with both wings raised."""
    light, base, shade = tones(colour)
    brush.polygon(_FAR_WING, shade)
    brush.polygon([(0.62, 0.42), (0.62, 0.32), (0.8, 0.34)], _OCHRE)
    brush.polygon(_BODY, base)
    brush.polygon(_NEAR_WING, light)
    brush.polygon(_NEAR_TIP, base)
    brush.ellipse(0.54, 0.38, 0.025, 0.028, CHARCOAL if max(colour) > 70 else CREAM)
