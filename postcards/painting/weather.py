"""Paints rain, snow, fog and the grain of the paper over the whole picture."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from postcards.painting.brush import CANVAS_WIDTH, mix

if TYPE_CHECKING:
    from random import Random

    from postcards.painting.brush import Brush, Colour
    from postcards.painting.light import Air

STREAKS = 90
FLAKES = 150
PAPER = 900
"""The minimum width of a picture with grain, in painted pixels."""


def paint_rain(brush: Brush, air: Air, random: Random) -> None:
    """Paint slanted streaks."""
    colour = mix(air.sky[-1], (255, 255, 255), 0.3 if air.dark else 0.55)
    for _ in range(STREAKS):
        x, y = random.uniform(0, CANVAS_WIDTH + 0.1), random.uniform(-0.05, 1)
        length = random.uniform(0.04, 0.1)
        brush.line(
            [(x, y), (x - 0.26 * length, y + length)],
            0.0028,
            colour,
            alpha=random.uniform(0.35, 0.7),
        )


def paint_snowfall(brush: Brush, air: Air, random: Random) -> None:
    """Paint flakes of several sizes."""
    colour = mix((255, 255, 255), air.sky[-1], 0.3 if air.dark else 0.08)
    for i in range(FLAKES):
        radius = 0.004 if i < 80 else 0.0064 if i < 130 else 0.0098
        radius *= random.uniform(0.85, 1.15)
        brush.ellipse(
            random.uniform(0, CANVAS_WIDTH),
            random.uniform(0, 1),
            radius,
            radius,
            colour,
            alpha=0.95 if i >= 80 else 0.8,
        )


def paint_distance(brush: Brush, air: Air, horizon: float) -> None:
    """Veil distant parts before the subjects are painted."""
    # At night there is little contrast to reduce.
    share = 0.36 if air.dark else 0.52
    stops = ((0, 0), (horizon - 0.3, share * 0.2), (horizon, share), (horizon + 0.2, share * 0.25))
    veil(brush, air.haze, (*stops, (1, 0)))


def paint_fog(brush: Brush, air: Air, random: Random) -> None:
    """Paint banks of fog, also in front of subjects."""
    light = mix(air.haze, (255, 255, 255), 0.1 if air.dark else 0.3)
    for y in (0.26, 0.42, 0.54, 0.7, 0.95):
        middle, reach = random.uniform(0.1, 1.4), random.uniform(0.5, 0.8)
        height = y + random.uniform(-0.04, 0.04)
        for i, share in enumerate((1, 0.7)):
            brush.ellipse(
                middle + random.uniform(-0.2, 0.2),
                height + 0.022 * i,
                reach * share,
                0.03 - 0.006 * i,
                light,
                alpha=0.3,
            )


def veil(brush: Brush, colour: Colour, stops: tuple[tuple[float, float], ...]) -> None:
    """Paint a colour over the picture with an alpha gradient, downwards from stop to stop."""
    width, height = brush.image.size
    heights, alphas = zip(*stops, strict=True)
    rows = np.interp(np.arange(height) / height, heights, alphas) * 255
    mask = Image.fromarray(rows.round().astype(np.uint8)[:, None]).resize((width, height))
    brush.image.paste(colour, (0, 0), mask)


def paint_paper(brush: Brush, random: Random) -> None:
    """Add the grain of paper to a large picture."""
    if brush.image.width < PAPER:
        return
    width, height = brush.image.size
    grain = np.roll(_grain(), random.getrandbits(16), axis=(0, 1))
    tiles = np.tile(grain, (height // grain.shape[0] + 1, width // grain.shape[1] + 1))
    pixels = np.asarray(brush.image).astype(np.int16) + tiles[:height, :width, None]
    brush.image.paste(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


@cache
def _grain(side: int = 512) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    dice = np.random.default_rng(1)
    coarse = dice.normal(0, 2.2, (side // 2, side // 2)).repeat(2, axis=0).repeat(2, axis=1)
    return (coarse + dice.normal(0, 2.6, (side, side))).round().astype(np.int16)
