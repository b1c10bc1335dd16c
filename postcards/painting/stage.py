"""The state that painters of settings share: two brushes, the atmosphere, a random generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sin
from typing import TYPE_CHECKING

from PIL import ImageDraw

from postcards.painting.brush import CANVAS_WIDTH, Brush, mix
from postcards.painting.light import GROUND_SNOW, LAMPLIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from postcards.painting.brush import Colour, Point
    from postcards.painting.light import Air

STEPS = 40
"""The number of segments of a rolling line."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One backdrop that is being painted."""

    brush: Brush
    """Blends colours by their alpha."""

    solid: Brush
    """Ignores alpha, and is many times faster on large shapes."""

    air: Air
    random: Random
    sun_x: float
    """The x of the light source."""

    @classmethod
    def on(cls, brush: Brush, air: Air, random: Random) -> Stage:
        """Return a stage for a picture."""
        solid = replace(brush, draw=ImageDraw.Draw(brush.image))
        left = random.random() < 0.5
        return cls(
            brush, solid, air, random, random.uniform(*((0.3, 0.55) if left else (0.95, 1.2)))
        )

    @property
    def lit_left(self) -> bool:
        """Whether left sides are lit."""
        return self.sun_x < CANVAS_WIDTH / 2

    def tone(self, colour: Colour, far: float = 0) -> Colour:
        """Return a colour at a distance, ``far`` from 0 to 1."""
        return self.air.tone(colour, far)

    def earth(self, colour: Colour, far: float = 0, cover: float = 0.86) -> Colour:
        """Return the colour of ground, which snow covers if there is any."""
        return self.air.tone(mix(colour, GROUND_SNOW, cover) if self.air.snowy else colour, far)

    def panes(self, colour: Colour, far: float = 0) -> tuple[Colour, ...]:
        """Return the possible colours of a window, three of five lit at night."""
        dull = self.air.tone(colour, far)
        if not self.air.dark:
            return (dull,)
        lit = self.air.glint(LAMPLIGHT, far)
        return dull, dull, lit, lit, self.air.glint(mix(LAMPLIGHT, (255, 170, 90), 0.4), far)

    def flip(self, points: Sequence[Point], x: float) -> list[Point]:
        """Return a shape that is lit from the left, mirrored around x if the light is right."""
        side = 1 if self.lit_left else -1
        return [(x + side * dx, y) for dx, y in points]

    def plane(self, line: Sequence[Point], bottom: float, colour: Colour) -> None:
        """Fill the land below a line from side to side, down to a height."""
        self.solid.polygon([*line, (line[-1][0], bottom), (line[0][0], bottom)], colour)

    def band(self, line: Sequence[Point], top: float, bottom: float, colour: Colour) -> None:
        """Fill a band along a line, between two distances below it."""
        upper = [(x, y + top) for x, y in line]
        self.solid.polygon([*upper, *((x, y + bottom) for x, y in reversed(line))], colour)

    def rolling(self, y: float, rise: float, waves: float) -> list[Point]:
        """Return a gently rolling line around y over the whole width."""
        first, second = self.random.uniform(0, 2 * pi), self.random.uniform(0, 2 * pi)
        slow = 2 * pi * waves * self.random.uniform(0.85, 1.15) / STEPS
        fast = slow * 1.9
        return [
            (
                CANVAS_WIDTH * i / STEPS,
                y - rise * (0.66 * sin(first + slow * i) + 0.34 * sin(second + fast * i)),
            )
            for i in range(STEPS + 1)
        ]

    def along(self, line: Sequence[Point], x: float) -> float:
        """Return the height of a rolling line at x."""
        return line[round(max(0.0, min(1.0, x / CANVAS_WIDTH)) * STEPS)][1]

    def lens(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill a long, flat shape with pointed ends."""
        self.solid.polygon(
            [
                (x - rx, y),
                (x - rx * 0.4, y - ry * 0.85),
                (x + rx * 0.4, y - ry * 0.85),
                (x + rx, y),
                (x + rx * 0.4, y + ry * 0.85),
                (x - rx * 0.4, y + ry * 0.85),
            ],
            colour,
        )

    def spread(self, count: int, wobble: float = 0.8) -> list[float]:
        """Return ``count`` random x over the whole width, one in each of ``count`` equal parts."""
        step = CANVAS_WIDTH / count
        return [step * (i + 0.5 + wobble * (self.random.random() - 0.5)) for i in range(count)]
