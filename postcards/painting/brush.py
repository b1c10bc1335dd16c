"""Paint with an edge that is smooth at any size: shapes in units of the picture, not in pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

WIDTH = 1.5
"""Of every postcard, in units of its height."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return ``one`` with a share (0 to 1) of ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Light:
    """What a time of day and a weather do to the colours of things."""

    tint: Colour
    """White light leaves colours as they are."""

    haze: Colour
    """What far things fade into."""

    dark: bool = False
    """Whether windows and lamps are lit."""

    haziness: float = 0.0
    """The share of haze over near things, 0 to 1: more than 0 in fog alone."""

    snowy: bool = False
    """Whether snow lies on roofs and ground."""

    def on(self, colour: Colour) -> Colour:
        """Return the colour of a thing in this light."""
        red, green, blue = (
            part * tint // 255 for part, tint in zip(colour, self.tint, strict=True)
        )
        return mix((red, green, blue), self.haze, self.haziness)


@dataclass(frozen=True, slots=True, eq=False)
class Brush:
    """Draws in coordinates of its own upon one picture.

    The brush of a whole picture has x from 0 to 1.5 and y from 0 to 1, downwards as in Pillow,
    and paints colours as they are. ``at`` returns a brush for a subject: its origin is where the
    subject stands, y goes up to 1, the subject's height, and colours are seen in its light.
    """

    image: Image.Image
    draw: ImageDraw.ImageDraw
    scale_x: float
    scale_y: float
    x: float = 0
    y: float = 0
    light: Light | None = None

    @classmethod
    def on_canvas(cls, width: int, height: int) -> Brush:
        """Return the brush of a new, black picture of this many pixels."""
        image = Image.new("RGB", (width, height))
        return cls(image, ImageDraw.Draw(image, "RGBA"), width / WIDTH, height)

    def at(self, x: float, y: float, size: float, light: Light, *, mirrored: bool = False) -> Brush:
        """Return a brush for a subject that stands at a point; mirrored, it looks to the left."""
        return replace(
            self,
            x=self.x + x * self.scale_x,
            y=self.y + y * self.scale_y,
            scale_x=self.scale_x * size * (-1 if mirrored else 1),
            scale_y=-self.scale_y * size,
            light=light,
        )

    def polygon(self, points: Sequence[Point], colour: Colour, *, alpha: float = 1) -> None:
        """Fill a polygon."""
        self.draw.polygon(self._pixels(points), fill=self._fill(colour, alpha))

    def ellipse(  # noqa: PLR0913 - a place, two radii and a colour
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *, alpha: float = 1
    ) -> None:
        """Fill an ellipse around a point."""
        self.draw.ellipse(self._box(x, y, rx, ry), fill=self._fill(colour, alpha))

    def sector(  # noqa: PLR0913, PLR0917 - an ellipse, and from where to where
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        start: float,
        end: float,
        colour: Colour,
        *,
        alpha: float = 1,
    ) -> None:
        """Fill a slice of an ellipse; degrees go clockwise from three o'clock, on the picture."""
        self.draw.pieslice(self._box(x, y, rx, ry), start, end, fill=self._fill(colour, alpha))

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, colour: Colour
    ) -> None:
        """Fill a rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def line(
        self, points: Sequence[Point], width: float, colour: Colour, *, alpha: float = 1
    ) -> None:
        """Draw a line through points; ``width`` is in units of this brush, and never vanishes."""
        pixels = max(1, round(width * abs(self.scale_y)))
        fill = self._fill(colour, alpha)
        self.draw.line(self._pixels(points), fill=fill, width=pixels, joint="curve")

    @property
    def glowing(self) -> Brush:
        """The same brush for what shines by itself: its colours are seen as they are."""
        return replace(self, light=None)

    def gradient(self, top: float, bottom: float, stops: Sequence[Colour]) -> None:
        """Fill the whole width between two heights of the picture with colours, downwards."""
        width, height = self.image.size
        first, last = (round(max(0.0, min(1.0, y)) * height) for y in (top, bottom))
        if first >= last:
            return
        places = (np.arange(first, last) / height - top) / (bottom - top)
        ends = np.linspace(0, 1, len(stops))
        rows = np.stack(
            [np.interp(places, ends, [stop[i] for stop in stops]) for i in range(3)], axis=1
        )
        strip = Image.fromarray(rows.round().astype(np.uint8)[:, None])
        self.image.paste(strip.resize((width, last - first), Image.Resampling.NEAREST), (0, first))

    def glow(self, x: float, y: float, radius: float, colour: Colour, *, alpha: float) -> None:
        """Lighten around a point, strongest in its middle and nothing at the radius."""
        left, top = self._pixel((x - radius, y - radius))
        right, bottom = self._pixel((x + radius, y + radius))
        box = (round(min(left, right)), round(min(top, bottom)))
        size = (max(1, round(abs(right - left))), max(1, round(abs(bottom - top))))
        mask = _falloff().resize(size).point([round(level * alpha) for level in range(256)])
        self.image.paste(self._fill(colour, 1)[:3], box, mask)

    def _pixel(self, point: Point) -> Point:
        return self.x + point[0] * self.scale_x, self.y + point[1] * self.scale_y

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        return [self._pixel(point) for point in points]

    def _box(self, x: float, y: float, rx: float, ry: float) -> list[float]:
        (left, top), (right, bottom) = self._pixel((x - rx, y - ry)), self._pixel((x + rx, y + ry))
        return [min(left, right), min(top, bottom), max(left, right), max(top, bottom)]

    def _fill(self, colour: Colour, alpha: float) -> tuple[int, int, int, int]:
        return *(self.light.on(colour) if self.light else colour), round(255 * alpha)


@cache
def _falloff(side: int = 128) -> Image.Image:
    steps = np.linspace(-1, 1, side)
    distance = np.hypot(steps[:, None], steps[None, :])
    levels = np.clip(1 - distance, 0, 1) ** 2
    return Image.fromarray((levels * 255).round().astype(np.uint8))
