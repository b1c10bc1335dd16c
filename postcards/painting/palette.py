"""The RGB values of the colours in captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postcards.painting.brush import Colour

PAINTS: dict[str, Colour] = {
    "red": (206, 44, 42),
    "orange": (240, 130, 36),
    "yellow": (248, 206, 60),
    "green": (60, 146, 78),
    "blue": (42, 98, 186),
    "purple": (120, 62, 160),
    "pink": (242, 140, 178),
    "white": (248, 245, 236),
    "black": (36, 34, 42),
    "brown": (130, 82, 46),
}
