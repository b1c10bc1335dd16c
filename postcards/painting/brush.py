"""Draws shapes in coordinates that do not depend on the size of the picture in pixels."""

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

CANVAS_WIDTH = 1.5
"""The width of every postcard in units of its height."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Interpolate linearly from ``one`` (share 0) to ``other`` (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Light:
    """How a time of day and a weather change the colours of subjects."""

    tint: Colour
    """The colour of the light. White leaves colours unchanged."""

    haze: Colour
    """The colour of haze, with which distant things blend."""

    dark: bool = False
    """Whether windows and lamps are lit."""

    haziness: float = 0.0
    """The share of haze in the colours of near things, 0 to 1. It is 0 except in fog."""

    snowy: bool = False
    """Whether snow covers roofs and ground."""

    def on(self, colour: Colour) -> Colour:
        """Return a colour as it appears in this light."""
        red, green, blue = (
            part * tint // 255 for part, tint in zip(colour, self.tint, strict=True)
        )
        return mix((red, green, blue), self.haze, self.haziness)


@dataclass(frozen=True, slots=True, eq=False)
class Brush:
    """Draws on one picture in its own coordinate system.

    The brush of a whole picture has x from 0 to 1.5 and y from 0 to 1, downwards as in Pillow, and
    does not change colours. ``at`` returns a brush for a subject: its origin is the foot of the
    subject, y goes upwards and is 1 at the subject's height, and its light changes colours.
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
        return cls(image, ImageDraw.Draw(image, "RGBA"), width / CANVAS_WIDTH, height)

    def at(self, x: float, y: float, size: float, light: Light, *, mirrored: bool = False) -> Brush:
        """Return a brush for a subject with its foot at a point. Mirrored subjects face left."""
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

    def ellipse(  # noqa: PLR0913 - a point, two radii and a colour
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *, alpha: float = 1
    ) -> None:
        """Fill an ellipse around a point."""
        self.draw.ellipse(self._box(x, y, rx, ry), fill=self._fill(colour, alpha))

    def sector(  # noqa: PLR0913, PLR0917 - an ellipse and two angles
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
        """Fill a sector of an ellipse. Angles in degrees, clockwise from three o'clock."""
        self.draw.pieslice(self._box(x, y, rx, ry), start, end, fill=self._fill(colour, alpha))

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, colour: Colour
    ) -> None:
        """Fill a rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def line(
        self, points: Sequence[Point], width: float, colour: Colour, *, alpha: float = 1
    ) -> None:
        """Draw a line through points. ``width`` is in units of this brush, at least one pixel."""
        pixels = max(1, round(width * abs(self.scale_y)))
        fill = self._fill(colour, alpha)
        self.draw.line(self._pixels(points), fill=fill, width=pixels, joint="curve")

    @property
    def glowing(self) -> Brush:
        """The same brush for things that emit light: it does not change colours."""
        return replace(self, light=None)

    def gradient(self, top: float, bottom: float, stops: Sequence[Colour]) -> None:
        """Fill the whole width between two heights with a vertical gradient, downwards."""
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
        """Paint a radial glow, strongest at its centre and transparent at the radius."""
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
