"""Paints the sky: a gradient with sun, stars or clouds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix

if TYPE_CHECKING:
    from postcards.painting.stage import Stage

_LOBES = (
    (-0.95, 0.34, 0.2),
    (-0.46, 0.5, 0.42),
    (0.08, 0.58, 0.62),
    (0.6, 0.44, 0.36),
    (1, 0.3, 0.18),
)
"""The lobes of a cloud: position, half the width, height."""

STARS = 90


def paint_sky(stage: Stage, horizon: float, low_sun: float) -> None:
    """Paint the sky down to the horizon. ``low_sun`` is the y of the sun at dawn and sunset."""
    air = stage.air
    stage.brush.gradient(0, horizon, air.sky)
    if air.weather == "clear":
        if air.sun:
            _paint_sun(stage, low_sun)
        else:
            _paint_stars(stage, horizon)
    elif air.weather == "cloudy":
        _paint_clouds(stage, horizon)
    elif air.weather == "rain":
        _paint_ceiling(stage)
    elif air.weather == "snow":
        _paint_overcast(stage)


def _paint_sun(stage: Stage, low_sun: float) -> None:
    brush, random, sun, x = stage.brush, stage.random, stage.air.sun, stage.sun_x
    if sun is None:
        return
    if stage.air.time == "day":
        y = random.uniform(0.13, 0.18)
        brush.ellipse(x, y, 0.13, 0.13, sun, alpha=0.16)
        brush.ellipse(x, y, 0.092, 0.092, sun, alpha=0.3)
        stage.solid.ellipse(x, y, 0.06, 0.06, sun)
    elif stage.air.time == "dawn":
        y = low_sun + random.uniform(-0.03, 0)
        brush.ellipse(x, y, 0.15, 0.15, sun, alpha=0.2)
        brush.ellipse(x, y, 0.1, 0.1, sun, alpha=0.35)
        stage.solid.ellipse(x, y, 0.06, 0.06, sun)
    else:
        y = low_sun + random.uniform(-0.02, 0.02)
        brush.ellipse(x, y, 0.31, 0.31, (255, 170, 70), alpha=0.16)
        brush.ellipse(x, y, 0.22, 0.22, (255, 190, 80), alpha=0.26)
        stage.solid.ellipse(x, y, 0.135, 0.135, sun)


def _paint_stars(stage: Stage, horizon: float) -> None:
    height = stage.brush.image.height
    random = Random(stage.random.getrandbits(32))
    count = STARS if height > 400 else 55
    for i in range(count):
        y = horizon * random.random() ** 1.3
        # Stars have a minimum size, so that they are visible in small pictures.
        radius = max(random.uniform(0.0012, 0.0032), 0.45 / height)
        brightness = random.uniform(0.3, 1)
        colour = mix(stage.air.sky[2], (255, 250, 226), brightness)
        x = random.uniform(0, CANVAS_WIDTH)
        if i < 7:
            stage.solid.polygon(
                [
                    (x - 0.012, y),
                    (x - 0.0025, y - 0.0025),
                    (x, y - 0.014),
                    (x + 0.0025, y - 0.0025),
                    (x + 0.012, y),
                    (x + 0.0025, y + 0.0025),
                    (x, y + 0.014),
                    (x - 0.0025, y + 0.0025),
                ],
                (255, 250, 226),
            )
        else:
            stage.solid.ellipse(x, y, radius, radius, colour)


def _paint_clouds(stage: Stage, horizon: float) -> None:
    random, air = stage.random, stage.air
    places = stage.spread(6, 0.6)
    random.shuffle(places)
    for i, x in enumerate(places):
        # From far to near. Far clouds are low, small and pale.
        near = i / 5
        base = horizon * (0.84 - 0.44 * near) + random.uniform(-0.02, 0.03)
        size = 0.1 + 0.15 * near
        far = 0.5 * (1 - near)
        light, shade = mix(air.cloud, air.haze, far), mix(air.cloud_shade, air.haze, far)
        side = random.choice((-1, 1)) * size
        lobes = [
            (x + side * random.uniform(0.92, 1.08) * place, size * half, size * high)
            for place, half, high in _LOBES
        ]
        for middle, half, high in lobes:
            stage.solid.sector(
                middle, base, half, high * random.uniform(1.1, 1.45), 180, 360, light
            )
        for middle, half, high in lobes:
            stage.solid.sector(middle, base + 0.003, half, high * 0.52, 180, 360, shade)


def _paint_ceiling(stage: Stage) -> None:
    air = stage.air
    for row, (low, share) in enumerate(((0.2, 0.16), (0.13, 0.34), (0.06, 0.52))):
        colour = mix(air.sky[0], (30, 32, 44) if not air.dark else (4, 6, 16), share)
        stage.solid.rectangle(0, 0, CANVAS_WIDTH, low - 0.03, colour)
        for x in stage.spread(7 - row):
            rx = stage.random.uniform(0.14, 0.2)
            stage.solid.ellipse(x, low - 0.04, rx, stage.random.uniform(0.04, 0.07), colour)


def _paint_overcast(stage: Stage) -> None:
    colour = mix(stage.air.sky[0], stage.air.sky[-1], 0.35)
    for x in stage.spread(5):
        rx = stage.random.uniform(0.2, 0.3)
        stage.solid.ellipse(x, 0, rx, stage.random.uniform(0.06, 0.11), colour)
