"""The settings harbour and village."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix
from postcards.painting.details import (
    paint_bush,
    paint_flowers,
    paint_grass,
    paint_lamp,
    paint_path,
    paint_puddles,
    paint_tufts,
)
from postcards.painting.water_settings import paint_water, paint_waves

if TYPE_CHECKING:
    from postcards.painting.brush import Colour
    from postcards.painting.stage import Stage

_DARK: Colour = (28, 24, 52)
_WAREHOUSES: tuple[Colour, ...] = (
    (196, 110, 84),
    (222, 178, 116),
    (168, 92, 80),
    (206, 146, 104),
    (150, 122, 110),
    (226, 200, 160),
    (182, 128, 92),
)
_WALLS: tuple[Colour, ...] = ((240, 228, 204), (232, 208, 170), (222, 190, 156), (236, 222, 214))
_ROOFS: tuple[Colour, ...] = ((176, 84, 62), (152, 72, 62), (190, 104, 70), (122, 84, 78))


def paint_harbour(stage: Stage) -> None:
    """Paint a quay in front of warehouses."""
    random, solid = stage.random, stage.solid
    x = -0.04 - random.uniform(0, 0.06)
    last = -1
    while x < CANVAS_WIDTH:
        width = random.uniform(0.125, 0.19)
        choice = random.choice([i for i in range(len(_WAREHOUSES)) if i != last])
        last = choice
        _paint_warehouse(stage, x, x + width, random.uniform(0.29, 0.38), _WAREHOUSES[choice])
        x += width + (random.uniform(0.02, 0.05) if random.random() < 0.2 else 0.002)
    paving = stage.earth((186, 172, 158))
    solid.rectangle(0, 0.52, CANVAS_WIDTH, 0.63, paving)
    solid.rectangle(0, 0.52, CANVAS_WIDTH, 0.53, stage.tone((132, 118, 114)))
    seam = stage.earth((164, 150, 140))
    for y in (0.555, 0.59):
        solid.rectangle(0, y, CANVAS_WIDTH, y + 0.003, seam)
    for x in (0.2 + random.uniform(-0.05, 0.05), 1.28 + random.uniform(-0.05, 0.05)):
        paint_lamp(stage, x, 0.545, 0.17)
    tones = paint_water(stage, 0.66, 1, ((80, 140, 148), (44, 112, 134), (26, 82, 112)))
    solid.rectangle(0, 0.615, CANVAS_WIDTH, 0.667, stage.tone((118, 106, 106)))
    solid.rectangle(0, 0.615, CANVAS_WIDTH, 0.627, stage.earth((208, 194, 176)))
    joint = stage.tone((94, 84, 90))
    for i, x in enumerate(stage.spread(14, 0.1)):
        y = 0.627 + 0.018 * (i % 2)
        solid.rectangle(x, y, x + 0.004, y + 0.02, joint)
    solid.rectangle(0, 0.645, CANVAS_WIDTH, 0.648, joint)
    solid.rectangle(0, 0.66, CANVAS_WIDTH, 0.672, mix(tones[0], _DARK, 0.55))
    for x in stage.spread(6, 0.3):
        glow = stage.air.glint((255, 200, 110)) if stage.air.dark else stage.tone((206, 146, 104))
        for i in range(4):
            y = 0.69 + 0.03 * i
            stage.lens(
                x + random.uniform(-0.02, 0.02),
                y,
                0.055 - 0.009 * i,
                0.005,
                mix(glow, tones[1], 0.45 + 0.1 * i),
            )
    paint_waves(stage, 0.69, 1, tones, 7)
    for x in stage.spread(5, 0.3):
        _paint_bollard(stage, x)
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.545, 0.6)


def _paint_bollard(stage: Stage, x: float) -> None:
    iron = stage.tone((48, 46, 58))
    stage.solid.rectangle(x - 0.008, 0.598, x + 0.008, 0.622, iron)
    stage.solid.ellipse(x, 0.598, 0.014, 0.007, stage.earth((72, 68, 80), cover=0.7))


def _paint_warehouse(stage: Stage, left: float, right: float, eaves: float, colour: Colour) -> None:
    random, solid = stage.random, stage.solid
    middle, width = (left + right) / 2, right - left
    wall, shade = stage.tone(colour, 0.08), stage.tone(mix(colour, _DARK, 0.28), 0.08)
    roof = stage.earth(mix(colour, (70, 50, 60), 0.6), 0.08, 0.8)
    style = random.randrange(3)
    top = max(0.265, eaves - width * 0.5)
    if style == 0:
        solid.polygon([(left, eaves), (middle, top), (right, eaves)], wall)
        solid.line([(left, eaves), (middle, top), (right, eaves)], 0.01, roof)
    elif style == 1:
        steps = [(left, eaves), (left, eaves - 0.02), (left + width * 0.22, eaves - 0.02)]
        steps += [(left + width * 0.22, eaves - 0.045), (right - width * 0.22, eaves - 0.045)]
        steps += [(right - width * 0.22, eaves - 0.02), (right, eaves - 0.02), (right, eaves)]
        solid.polygon(steps, wall)
        solid.rectangle(
            left + width * 0.22, eaves - 0.05, right - width * 0.22, eaves - 0.042, roof
        )
    else:
        solid.polygon(
            [
                (left, eaves),
                (left + 0.022, top + 0.02),
                (right - 0.022, top + 0.02),
                (right, eaves),
            ],
            roof,
        )
    solid.rectangle(left, eaves, right, 0.525, wall)
    edge = (right - width * 0.16, right) if stage.lit_left else (left, left + width * 0.16)
    solid.rectangle(edge[0], eaves, edge[1], 0.525, shade)
    columns = 2 if width < 0.15 else 3
    panes = stage.panes(mix(colour, (40, 54, 84), 0.75), 0.08)
    for row in range(3):
        y = eaves + 0.018 + row * 0.048
        if y > 0.46:
            break
        for column in range(columns):
            x = left + width * (column + 0.72) / (columns + 0.44) - 0.012
            solid.rectangle(x, y, x + 0.022, y + 0.028, random.choice(panes))
    solid.rectangle(
        middle - 0.02, 0.478, middle + 0.02, 0.525, stage.tone(mix(colour, (50, 44, 60), 0.7), 0.08)
    )


def paint_village(stage: Stage) -> None:
    """Paint a cluster of gabled houses around a church."""
    random = stage.random
    stage.plane(stage.rolling(0.43, 0.035, 1.4), 0.64, stage.earth((136, 172, 132), 0.5, 0.7))
    stage.plane(stage.rolling(0.5, 0.025, 1.8), 0.66, stage.earth((118, 164, 100), 0.26, 0.7))
    church = random.uniform(0.6, 0.9)
    for x in stage.spread(8, 0.4):
        _paint_cottage(stage, x, 0.575, random.uniform(0.15, 0.18), 0.22)
    _paint_church(stage, church)
    for x in stage.spread(7, 0.4):
        _paint_cottage(
            stage, x, 0.638 + random.uniform(-0.008, 0.008), random.uniform(0.19, 0.235), 0.03
        )
    green = stage.rolling(0.642, 0.006, 2.4)
    stage.plane(green, 1, stage.earth((132, 178, 88)))
    for x in stage.spread(8):
        paint_bush(stage, x, 0.654, random.uniform(0.014, 0.026), (82, 134, 76))
    way = church + random.uniform(-0.1, 0.1)
    paint_path(stage, way, stage.along(green, way) + 0.002, (226, 204, 160))
    stage.plane(stage.rolling(0.965, 0.015, 1.5), 1, stage.earth((92, 144, 74)))
    paint_tufts(stage, 15, 0.68, 0.99, (82, 132, 66))
    paint_grass(stage, (70, 120, 60), 0.04)
    paint_flowers(stage, 7, 0.72, 0.98, ((248, 240, 220), (226, 92, 84), (246, 206, 92)))
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.72, 0.95)


def _paint_cottage(stage: Stage, x: float, base: float, width: float, far: float) -> None:
    random, solid = stage.random, stage.solid
    wall_colour, roof_colour = random.choice(_WALLS), random.choice(_ROOFS)
    wall, shade = stage.tone(wall_colour, far), stage.tone(mix(wall_colour, _DARK, 0.24), far)
    roof = stage.earth(roof_colour, far, 0.66)
    gable = width * 0.42
    eaves, top = base - width * 0.36, base - width * 0.78
    # The gable faces the light.
    points = [(-width / 2, base), (-width / 2, eaves), (-width / 2 + gable / 2, top)]
    points += [(gable - width / 2, eaves), (gable - width / 2, base)]
    solid.polygon(
        stage.flip(
            [
                (gable - width / 2, base),
                (gable - width / 2, eaves),
                (width / 2, eaves),
                (width / 2, base),
            ],
            x,
        ),
        shade,
    )
    solid.polygon(stage.flip(points, x), wall)
    slope = [(gable / 2 - width / 2, top - 0.006), (width / 2 - gable / 2 + 0.01, top - 0.006)]
    slope += [(width / 2 + 0.008, eaves + 0.006), (gable - width / 2 + 0.004, eaves + 0.006)]
    solid.polygon(stage.flip(slope, x), roof)
    verge = stage.flip(
        [(-width / 2 - 0.006, eaves + 0.006), (gable / 2 - width / 2, top - 0.003)], x
    )
    solid.line(verge, 0.007, roof)
    pane = random.choice(stage.panes((70, 80, 104), far))
    for dx, y in (
        (gable / 2 - width / 2, eaves + 0.004),
        (width * 0.12, eaves + 0.016),
        (width * 0.32, eaves + 0.016),
    ):
        middle = stage.flip([(dx, y)], x)[0][0]
        solid.rectangle(middle - 0.008, y, middle + 0.008, y + 0.02, pane)


def _paint_church(stage: Stage, x: float) -> None:
    solid = stage.solid
    wall, shade = stage.tone((244, 236, 220), 0.08), stage.tone((178, 164, 168), 0.08)
    spire, dark = stage.earth((96, 112, 126), 0.08, 0.5), stage.tone((62, 74, 94), 0.08)
    nave = [(0, 0.6), (0, 0.5), (0.17, 0.5), (0.17, 0.6)]
    solid.polygon(stage.flip(nave, x), shade)
    solid.polygon(
        stage.flip([(0, 0.505), (0.02, 0.44), (0.15, 0.44), (0.18, 0.505)], x),
        stage.earth((140, 84, 70), 0.08),
    )
    solid.rectangle(x - 0.035, 0.42, x + 0.035, 0.61, wall)
    solid.polygon(
        stage.flip([(0.012, 0.42), (0.035, 0.42), (0.035, 0.61), (0.012, 0.61)], x), shade
    )
    solid.polygon([(x - 0.042, 0.424), (x, 0.29), (x + 0.042, 0.424)], spire)
    solid.polygon(stage.flip([(0.012, 0.424), (0, 0.29), (0.042, 0.424)], x), dark)
    solid.line([(x, 0.268), (x, 0.295)], 0.004, dark)
    solid.line([(x - 0.009, 0.277), (x + 0.009, 0.277)], 0.004, dark)
    solid.ellipse(x, 0.45, 0.011, 0.011, stage.panes((80, 88, 110), 0.08)[-1])
