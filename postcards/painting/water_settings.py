"""The settings sea, beach and lake."""

from __future__ import annotations

from math import pi, sin
from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix
from postcards.painting.details import (
    paint_bush,
    paint_flowers,
    paint_grass,
    paint_puddles,
    paint_reeds,
    paint_rocks,
    paint_tufts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postcards.painting.brush import Brush, Colour, Light
    from postcards.painting.stage import Stage


_SKY_SHARE_IN_WATER = {"dawn": 0.5, "day": 0.2, "sunset": 0.7, "night": 0.3}
"""The share of the sky in the colours of water."""


def paint_water(stage: Stage, top: float, bottom: float, colours: Sequence[Colour]) -> list[Colour]:
    """Paint water that reflects the sky, and return its tones from top to bottom."""
    sky = stage.air.sky
    last = len(colours) - 1
    share = _SKY_SHARE_IN_WATER[stage.air.time]
    tones = [
        mix(stage.tone(colour), sky[-1 - round(i * (len(sky) - 1) / last)], share)
        for i, colour in enumerate(colours)
    ]
    stage.brush.gradient(top, bottom, tones)
    return tones


def paint_waves(
    stage: Stage, top: float, bottom: float, tones: Sequence[Colour], rows: int
) -> None:
    """Paint rows of ripples with troughs, which grow towards the foreground."""
    random = stage.random
    light = mix(stage.air.sky[-1], (255, 255, 255), 0.35)
    for row in range(rows):
        near = (row + 0.5) / rows
        y = top + (bottom - top) * near**1.3
        size = 0.022 + 0.07 * near
        colour = tones[min(len(tones) - 1, int(near * len(tones)))]
        bright, dim = mix(colour, light, 0.4), mix(colour, (14, 16, 60), 0.16)
        for x in stage.spread(6 - round(2 * near), 0.95):
            rx = size * random.uniform(0.7, 1.5)
            wobble = y + random.uniform(-0.4, 0.4) * (bottom - top) / rows
            stage.lens(x + rx * 0.3, wobble + 0.004 + 0.1 * size, rx * 0.8, 0.04 * size, dim)
            stage.lens(x, wobble, rx, 0.045 * size + 0.0008, bright)


def _paint_swell(stage: Stage, y: float, rise: float, count: int, body: Colour) -> None:
    """Paint a near wave with pointed crests, and its foam."""
    start = stage.random.random()
    points = [
        (CANVAS_WIDTH * i / 56, y - rise * (1 - abs(sin(pi * (start + i * count / 56)))) ** 1.6)
        for i in range(57)
    ]
    stage.plane(points, 1, body)
    foam = mix(body, mix(stage.air.sky[-1], (255, 255, 255), 0.5), 0.45)
    stage.band(points, 0, 0.0045, foam)


def paint_glitter(stage: Stage, top: float, bottom: float) -> None:
    """Paint the reflection of the sun on the water."""
    sun = stage.air.sun
    if sun is None:
        return
    high = stage.air.time == "day"
    for i in range(12):
        near = (i + 0.4) / 12
        y = top + (bottom - top) * near
        rx = (0.09 if i % 2 else 0.055) * (0.6 + near) * (0.6 if high else 1)
        x = stage.sun_x + stage.random.uniform(-0.03, 0.03)
        stage.lens(
            x,
            y,
            rx,
            0.006 + 0.004 * near,
            mix(sun, stage.tone((90, 160, 190)), 0.45 if high else 0.12),
        )


def paint_sea(stage: Stage) -> None:
    """Paint the open sea to the horizon."""
    tones = paint_water(
        stage, 0.52, 1, ((96, 178, 196), (40, 134, 172), (22, 98, 148), (14, 70, 122))
    )
    stage.solid.rectangle(0, 0.52, CANVAS_WIDTH, 0.527, mix(tones[0], (20, 50, 90), 0.3))
    paint_glitter(stage, 0.53, 0.82)
    paint_waves(stage, 0.54, 0.9, tones, 7)
    for y, rise, count, share in (
        (0.9, 0.014, 7, 0.06),
        (0.942, 0.02, 5, 0.3),
        (0.988, 0.026, 4, 0.55),
    ):
        _paint_swell(stage, y, rise, count, mix(tones[-1], (6, 16, 58), share))


def paint_beach(stage: Stage) -> None:
    """Paint a bay and the sand in front of it."""
    tones = paint_water(
        stage, 0.46, 0.7, ((60, 150, 190), (54, 172, 190), (98, 206, 200), (150, 224, 208))
    )
    stage.solid.rectangle(0, 0.46, CANVAS_WIDTH, 0.467, mix(tones[0], (20, 60, 100), 0.35))
    paint_glitter(stage, 0.475, 0.6)
    paint_waves(stage, 0.48, 0.65, tones, 6)
    sand, foam = (
        stage.tone((240, 214, 160)),
        mix(stage.tone((255, 255, 250)), stage.air.sky[-1], 0.2),
    )
    surf = stage.rolling(0.645, 0.007, 2.5)
    stage.band(surf, 0, 0.009, foam)
    edge = stage.rolling(0.682, 0.012, 2)
    stage.plane(edge, 1, stage.tone((206, 170, 122)))
    stage.band(edge, 0.004, 0.02, stage.tone((186, 148, 112)))
    stage.band(edge, -0.014, 0.004, foam)
    stage.plane(stage.rolling(0.745, 0.012, 1.3), 1, sand)
    stage.plane(stage.rolling(0.95, 0.02, 1.2), 1, stage.tone((228, 196, 140)))
    ripple = stage.tone((222, 190, 136))
    for _ in range(12):
        x, y = stage.random.uniform(0, CANVAS_WIDTH), stage.random.uniform(0.78, 0.93)
        stage.lens(x, y, stage.random.uniform(0.04, 0.11), 0.003, ripple)
    paint_rocks(stage, 5, 0.74, 0.98, (176, 150, 130))
    paint_grass(stage, (142, 150, 88), 0, corners=0.15)
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.77, 0.96)


def paint_lake(stage: Stage) -> None:
    """Paint a lake among round hills."""
    layers = (
        (0.37, 0.05, 1.5, (112, 152, 146), 0.5),
        (0.425, 0.042, 2.1, (92, 146, 112), 0.24),
        (0.468, 0.022, 2.6, (62, 120, 86), 0.06),
    )
    hills = [
        (stage.rolling(y, rise, waves), stage.earth(colour, far, 0.7))
        for y, rise, waves, colour, far in layers
    ]
    for line, colour in hills:
        stage.plane(line, 0.51, colour)
    tones = paint_water(stage, 0.5, 0.72, ((100, 168, 190), (70, 146, 178), (54, 128, 164)))
    for line, colour in hills:
        mirrored = [(x, 0.5 + (0.5 - y) * 0.8) for x, y in line]
        stage.solid.polygon(
            [(0, 0.5), (CANVAS_WIDTH, 0.5), *reversed(mirrored)], mix(colour, tones[1], 0.5)
        )
    stage.solid.rectangle(0, 0.498, CANVAS_WIDTH, 0.504, mix(tones[0], stage.air.sky[-1], 0.45))
    paint_glitter(stage, 0.54, 0.7)
    light = mix(tones[0], (255, 255, 255), 0.35)
    for _ in range(22):
        y = stage.random.uniform(0.52, 0.69)
        stage.lens(
            stage.random.uniform(0, CANVAS_WIDTH),
            y,
            stage.random.uniform(0.03, 0.1),
            0.0025,
            mix(light, tones[2], 0.35),
        )
    shore = stage.rolling(0.715, 0.014, 1.4)
    stage.plane([(x, y - 0.012) for x, y in shore], 1, mix(tones[2], (20, 40, 50), 0.35))
    stage.plane(shore, 1, stage.earth((122, 168, 84)))
    stage.plane(stage.rolling(0.81, 0.02, 1.2), 1, stage.earth((104, 154, 76)))
    stage.plane(stage.rolling(0.94, 0.02, 1.3), 1, stage.earth((78, 130, 70)))
    paint_tufts(stage, 16, 0.76, 0.99, (64, 112, 62))
    paint_flowers(stage, 7, 0.84, 0.99, ((250, 240, 214), (240, 200, 90)))
    paint_rocks(stage, 4, 0.73, 0.78, (150, 150, 150))
    for x in (0.05, 0.13, 1.38, 1.46):
        paint_reeds(stage, x, 0.77 + stage.random.uniform(-0.02, 0.03), 0.2, (112, 136, 62))
    paint_grass(stage, (58, 104, 58), 0.04)
    paint_bush(stage, stage.random.choice((0.22, 1.27)), 0.735, 0.04, (76, 128, 72))
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.78, 0.94)


def paint_islet(brush: Brush, x: float, y: float, width: float, light: Light) -> None:
    """Paint a rock in the sea with some grass on it, with its top at y."""
    half, near = width / 2, brush.at(x, y, 1, light)
    rock, shade = (146, 132, 124), (98, 88, 96)
    grass = (240, 243, 248) if light.snowy else (118, 160, 84)
    near.ellipse(0, -0.066, half * 1.22, 0.02, (244, 250, 250), alpha=0.5)
    near.polygon(
        [
            (-half * 1.12, -0.066),
            (-half * 0.98, -0.02),
            (-half * 0.8, 0),
            (half * 0.8, 0),
            (half, -0.025),
            (half * 1.14, -0.066),
            (half * 0.6, -0.08),
            (-half * 0.6, -0.08),
        ],
        rock,
    )
    near.polygon(
        [
            (half * 0.1, -0.02),
            (half * 0.4, -0.05),
            (half * 0.25, -0.08),
            (half * 0.6, -0.08),
            (half * 1.14, -0.066),
            (half, -0.025),
            (half * 0.8, 0),
        ],
        shade,
    )
    near.polygon(
        [
            (-half * 0.7, -0.03),
            (-half * 0.45, -0.05),
            (-half * 0.55, -0.078),
            (-half * 0.2, -0.08),
            (-half * 0.3, -0.02),
        ],
        shade,
    )
    near.polygon(
        [
            (-half * 0.95, -0.014),
            (-half * 0.7, 0.008),
            (0, 0.012),
            (half * 0.7, 0.008),
            (half * 0.97, -0.016),
            (half * 0.55, -0.022),
            (half * 0.3, -0.012),
            (-half * 0.1, -0.026),
            (-half * 0.5, -0.012),
        ],
        grass,
    )
