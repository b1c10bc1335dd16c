"""The setting city: a skyline of towers with a street."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix
from postcards.painting.details import paint_lamp, paint_puddles
from postcards.painting.light import GROUND_SNOW

if TYPE_CHECKING:
    from postcards.painting.brush import Colour
    from postcards.painting.stage import Stage

_DARK: Colour = (28, 24, 52)
_TOWERS: tuple[Colour, ...] = (
    (92, 116, 142),
    (206, 190, 168),
    (120, 136, 152),
    (176, 138, 124),
    (72, 96, 124),
    (160, 160, 164),
)


def paint_city(stage: Stage) -> None:
    """Paint a skyline of towers and a street in front of it."""
    random, solid = stage.random, stage.solid
    for count, high, low, far in ((13, 0.16, 0.42, 0.66), (10, 0.12, 0.45, 0.36)):
        for x in stage.spread(count, 0.5):
            half = random.uniform(0.04, 0.065)
            top = random.uniform(high, low)
            colour = stage.tone(random.choice(_TOWERS), far)
            solid.rectangle(x - half, top, x + half, 0.71, colour)
            if random.random() < 0.4:
                solid.rectangle(x - half * 0.5, top - 0.03, x + half * 0.5, top, colour)
            _paint_stripes(stage, x, half, top, colour)
    for i, x in enumerate(stage.spread(8, 0.45)):
        _paint_tower(
            stage,
            x,
            random.uniform(0.055, 0.078),
            random.uniform(0.28, 0.52),
            _TOWERS[(i * 5 + random.randrange(2)) % 6],
        )
    solid.rectangle(0, 0.7, CANVAS_WIDTH, 0.765, stage.earth((196, 188, 178)))
    solid.rectangle(0, 0.698, CANVAS_WIDTH, 0.706, stage.tone((120, 114, 120)))
    slab = stage.earth((172, 164, 158))
    for x in stage.spread(18, 0):
        solid.polygon([(x, 0.706), (x + 0.003, 0.706), (x + (x - 0.75) * 0.08, 0.76)], slab)
    solid.rectangle(0, 0.76, CANVAS_WIDTH, 0.772, stage.tone((146, 140, 142)))
    solid.rectangle(0, 0.772, CANVAS_WIDTH, 1, stage.earth((92, 94, 106), cover=0.6))
    solid.rectangle(0, 0.955, CANVAS_WIDTH, 0.966, stage.tone((146, 140, 142)))
    solid.rectangle(0, 0.966, CANVAS_WIDTH, 1, stage.earth((196, 188, 178)))
    dash = stage.tone((232, 222, 190))
    for x in stage.spread(7, 0):
        solid.rectangle(x - 0.055, 0.862, x + 0.055, 0.873, dash)
    for x in (0.1 + random.uniform(-0.04, 0.04), 1.4 + random.uniform(-0.04, 0.04)):
        paint_lamp(stage, x, 0.75, 0.24)
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.79, 0.94)


def _paint_stripes(stage: Stage, x: float, half: float, top: float, colour: Colour) -> None:
    lit = (
        stage.air.glint((236, 186, 110), 0.3)
        if stage.air.dark
        else mix(colour, (255, 255, 255), 0.22)
    )
    for share in (-0.5, 0, 0.5):
        y = top + 0.02 + stage.random.uniform(0, 0.05)
        middle = x + half * share
        bottom = y + stage.random.uniform(0.02, 0.06) if stage.air.dark else 0.7
        stage.solid.rectangle(middle - half * 0.1, y, middle + half * 0.1, bottom, lit)


def _paint_tower(stage: Stage, x: float, half: float, top: float, colour: Colour) -> None:
    random, solid = stage.random, stage.solid
    wall, shade = stage.tone(colour, 0.06), stage.tone(mix(colour, _DARK, 0.3), 0.06)
    side = 1 if stage.lit_left else -1
    crown = random.randrange(4)
    if crown == 0:
        solid.rectangle(x - half * 0.6, top - 0.04, x + half * 0.6, top, wall)
        solid.rectangle(x - half * 0.3, top - 0.07, x + half * 0.3, top - 0.04, shade)
    elif crown == 1:
        solid.polygon([(x - half, top), (x - half * side, top - 0.05), (x + half, top)], wall)
    elif crown == 2:
        solid.line([(x, top), (x, top - 0.1)], 0.005, shade)
        solid.rectangle(x - half * 0.5, top - 0.025, x + half * 0.5, top, shade)
    solid.rectangle(x - half, top, x + half, 0.705, wall)
    edge = sorted((x + side * half * 0.62, x + side * half))
    solid.rectangle(edge[0], top, edge[1], 0.705, shade)
    if stage.air.weather == "snow":
        solid.rectangle(x - half, top - 0.006, x + half, top + 0.004, stage.tone(GROUND_SNOW))
    glass = (34, 46, 76) if sum(colour) > 400 else (226, 232, 232)
    panes = stage.panes(mix(colour, glass, 0.6), 0.06)
    start, gap = x - side * half * 0.16 - half * 0.6, half * 0.4
    for row in range(9):
        y = top + 0.028 + row * 0.044
        if y > 0.66:
            break
        for column in range(4):
            left = start + gap * column - half * 0.13
            solid.rectangle(left, y, left + half * 0.24, y + 0.022, random.choice(panes))
