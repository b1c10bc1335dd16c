"""The settings desert and canyon."""
# ruff: noqa: PLR0913, PLR0917 - drawings take many coordinates

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix
from postcards.painting.details import paint_bush, paint_puddles, paint_rocks, paint_tufts

if TYPE_CHECKING:
    from postcards.painting.brush import Colour
    from postcards.painting.stage import Stage

_STRATA: tuple[Colour, ...] = (
    (206, 98, 58),
    (226, 128, 74),
    (184, 78, 52),
    (236, 152, 92),
    (198, 90, 56),
    (170, 70, 52),
    (222, 122, 72),
)


_SHADOW: Colour = (84, 26, 66)


def paint_desert(stage: Stage) -> None:
    """Paint dunes to the horizon."""
    random = stage.random
    stage.plane(stage.rolling(0.545, 0.012, 1.5), 0.7, stage.tone((232, 190, 122), 0.4))
    stage.plane(stage.rolling(0.575, 0.01, 2.2), 0.8, stage.tone((232, 188, 112), 0.2))
    for count, base, high, wide, far in (
        (4, 0.665, 0.11, 0.34, 0.22),
        (3, 0.785, 0.17, 0.52, 0.05),
    ):
        for x in stage.spread(count, 0.7):
            tall, reach = high * random.uniform(0.8, 1.15), wide * random.uniform(0.9, 1.2)
            _paint_dune(stage, x, base, tall, reach, far)
        floor = stage.rolling(base - 0.012, 0.008, 1.6)
        stage.plane(floor, 1, stage.tone((236, 190, 112), far))
    stage.plane(stage.rolling(0.82, 0.018, 1.2), 1, stage.tone((242, 200, 124)))
    stage.plane(stage.rolling(0.95, 0.022, 1.1), 1, stage.tone((216, 162, 90)))
    ripple = stage.tone((222, 172, 98))
    for _ in range(16):
        stage.lens(
            random.uniform(0, CANVAS_WIDTH),
            random.uniform(0.81, 0.92),
            random.uniform(0.05, 0.14),
            0.003,
            ripple,
        )
    paint_rocks(stage, 5, 0.8, 0.98, (186, 130, 88))
    paint_tufts(stage, 6, 0.84, 0.99, (150, 122, 66))
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.82, 0.95)


def _paint_dune(stage: Stage, x: float, base: float, high: float, wide: float, far: float) -> None:
    light, shade = stage.tone((246, 204, 126), far), stage.tone((192, 126, 76), far)
    top = base - high
    windward = [
        (-wide, base),
        (-wide * 0.62, base - high * 0.24),
        (-wide * 0.32, base - high * 0.66),
    ]
    windward += [(-wide * 0.13, base - high * 0.93), (0, top)]
    lee = [(wide * 0.12, base - high * 0.84), (wide * 0.34, base - high * 0.46)]
    lee += [(wide * 0.62, base - high * 0.16), (wide, base)]
    crest = [(wide * 0.03, base - high * 0.86), (wide * 0.02, base - high * 0.7)]
    crest += [(wide * 0.1, base - high * 0.52), (wide * 0.16, base - high * 0.34)]
    crest += [(wide * 0.12, base - high * 0.18), (-wide * 0.06, base)]
    stage.solid.polygon(stage.flip([*windward, *lee], x), light)
    stage.solid.polygon(stage.flip([(0, top), *lee, *reversed(crest)], x), shade)


def paint_canyon(stage: Stage) -> None:
    """Paint layered mesas around a dry floor."""
    random = stage.random
    stage.plane([(0, 0.6), (CANVAS_WIDTH, 0.6)], 0.72, stage.tone((226, 150, 100), 0.5))
    for x in stage.spread(5, 0.7):
        _paint_butte(stage, x, random.uniform(0.4, 0.5), 0.66, random.uniform(0.06, 0.12), 0.52)
    for x, top in ((0.44, 0.38), (1.06, 0.34)):
        _paint_butte(
            stage,
            x + random.uniform(-0.06, 0.06),
            top + random.uniform(-0.03, 0.04),
            0.69,
            random.uniform(0.08, 0.12),
            0.24,
        )
    for x, sign in ((0, 1), (CANVAS_WIDTH, -1)):
        reach = random.uniform(0.2, 0.3)
        _paint_butte(stage, x + sign * 0.03, random.uniform(0.2, 0.27), 0.72, reach, 0.04)
    stage.plane(stage.rolling(0.69, 0.008, 2), 1, stage.tone((226, 144, 90)))
    stage.plane(stage.rolling(0.8, 0.02, 1.2), 1, stage.tone((214, 126, 76)))
    stage.plane(stage.rolling(0.95, 0.02, 1.3), 1, stage.tone((178, 92, 62)))
    crack = stage.tone((176, 92, 58))
    for x in stage.spread(9, 1):
        y = random.uniform(0.72, 0.93)
        size = 0.03 + 0.1 * (y - 0.7)
        points = [
            (x, y),
            (x + size, y + 0.006),
            (x + size * 1.6, y - 0.004),
            (x + size * 2.4, y + 0.01),
        ]
        stage.solid.line(points, 0.003, crack)
    paint_rocks(stage, 9, 0.71, 0.98, (204, 112, 74))
    for x in stage.spread(4):
        paint_bush(
            stage, x, random.uniform(0.705, 0.74), random.uniform(0.014, 0.024), (136, 138, 88)
        )
    paint_tufts(stage, 8, 0.76, 0.99, (146, 130, 74))
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.75, 0.95)


def _paint_butte(stage: Stage, x: float, top: float, base: float, half: float, far: float) -> None:
    """Paint a butte of layered rock above a slope of rubble."""
    random, solid = stage.random, stage.solid
    cliff = base - (base - top) * 0.3
    side = 1 if stage.lit_left else -1
    shadow = random.uniform(0.3, 0.42) * half
    heights = sorted(random.uniform(0.06, 0.94) for _ in range(6))
    y = top
    for i, (colour, share) in enumerate(zip(_STRATA, [*heights, 1], strict=True)):
        below = top + (cliff - top) * (0.4 * share + 0.6 * (i + 1) / 7)
        reach = half * (0.88 + 0.02 * i + random.uniform(-0.025, 0.025))
        near = side * (shadow + half * 0.04 * (i % 2))
        points = [
            (-reach, y),
            (reach, y),
            (reach + half * 0.02, below),
            (-reach - half * 0.02, below),
        ]
        solid.polygon([(x + dx, height) for dx, height in points], stage.tone(colour, far))
        shade = [(near, y), (side * reach, y), (side * (reach + half * 0.02), below), (near, below)]
        dusk = stage.tone(mix(colour, _SHADOW, 0.45), far)
        solid.polygon([(x + dx, height) for dx, height in shade], dusk)
        y = below
    colour = mix(_STRATA[0], (240, 160, 100), 0.4)
    slope = [(-half * 1.02, cliff), (half * 1.02, cliff), (half * 1.2, (cliff + base) / 2)]
    slope += [(half * 1.6, base), (-half * 1.6, base), (-half * 1.2, (cliff + base) / 2)]
    solid.polygon(stage.flip(slope, x), stage.tone(colour, far))
    dim = [(shadow, cliff), *slope[1:4], (shadow * 1.7, base)]
    solid.polygon(stage.flip(dim, x), stage.tone(mix(colour, _SHADOW, 0.36), far))
