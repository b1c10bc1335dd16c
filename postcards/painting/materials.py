"""Fixed colours of materials, and the lit and shaded tones of a subject's colour."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from postcards.painting.brush import mix

if TYPE_CHECKING:
    from postcards.painting.brush import Brush, Colour

CREAM: Colour = (246, 238, 216)
SLATE: Colour = (84, 90, 104)
CHARCOAL: Colour = (48, 48, 56)
STEEL: Colour = (166, 172, 180)
WOOD: Colour = (92, 66, 52)
SNOW: Colour = (246, 249, 253)
GLASS: Colour = (178, 202, 214)
LAMP: Colour = (255, 214, 120)


class Tones(NamedTuple):
    """A colour on the lit side, unchanged, and on the shaded side."""

    light: Colour
    base: Colour
    shade: Colour


@cache
def tones(colour: Colour) -> Tones:
    """Return the tones of a colour. White gets a cool shade, and black is lightened."""
    red, green, blue = colour
    if min(colour) > 200:
        return Tones(colour, mix(colour, (70, 92, 140), 0.04), mix(colour, (70, 92, 140), 0.25))
    if max(colour) < 70:
        return Tones(mix(colour, (150, 156, 182), 0.32), colour, mix(colour, (0, 0, 8), 0.4))
    if min(red, green) > 160 and blue < 120:
        return Tones(mix(colour, (255, 240, 150), 0.55), colour, mix(colour, (120, 72, 40), 0.26))
    return Tones(mix(colour, (255, 238, 200), 0.16), colour, mix(colour, (20, 20, 60), 0.25))


def is_dark(brush: Brush) -> bool:
    """Return whether lamps are lit."""
    return brush.light is not None and brush.light.dark


def is_snowy(brush: Brush) -> bool:
    """Return whether snow covers things."""
    return brush.light is not None and brush.light.snowy


def window(brush: Brush, unlit: Colour = GLASS) -> tuple[Brush, Colour]:
    """Return the brush and the colour for a window or a lamp, which are lit at night."""
    return (brush.glowing, LAMP) if is_dark(brush) else (brush, unlit)
