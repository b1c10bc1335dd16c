"""The settings mountains, meadow, forest and snowfield."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix
from postcards.painting.details import (
    paint_bush,
    paint_fence,
    paint_flowers,
    paint_grass,
    paint_path,
    paint_puddles,
    paint_rocks,
    paint_tufts,
)
from postcards.painting.light import GROUND_SNOW

if TYPE_CHECKING:
    from postcards.painting.brush import Colour, Point
    from postcards.painting.stage import Stage

_COUNTRY_SHADOW: Colour = (14, 24, 50)


def paint_mountains(stage: Stage) -> None:
    """Paint snow-capped peaks above an alpine meadow."""
    random = stage.random
    for x in stage.spread(5, 0.6):
        _paint_peak(stage, x, random.uniform(0.2, 0.28), random.uniform(0.26, 0.34), 0.5)
    near = stage.spread(4, 0.5)
    random.shuffle(near)
    for x in near:
        _paint_peak(stage, x, random.uniform(0.13, 0.26), random.uniform(0.32, 0.42), 0.1)
    stage.plane(stage.rolling(0.585, 0.025, 1.7), 0.7, stage.earth((92, 130, 108), 0.26, 0.6))
    stage.plane(stage.rolling(0.625, 0.02, 2.1), 0.8, stage.earth((82, 132, 88), 0.1, 0.7))
    stage.plane(stage.rolling(0.67, 0.014, 1.6), 1, stage.earth((136, 176, 92)))
    stage.plane(stage.rolling(0.8, 0.022, 1.3), 1, stage.earth((116, 162, 80)))
    stage.plane(stage.rolling(0.94, 0.024, 1.2), 1, stage.earth((88, 136, 72)))
    paint_tufts(stage, 14, 0.72, 0.99, (72, 120, 64))
    paint_grass(stage, (66, 112, 62), 0.04)
    paint_flowers(stage, 9, 0.7, 0.98, ((250, 246, 232), (120, 118, 196), (244, 206, 92)))
    paint_rocks(stage, 8, 0.69, 0.98, (156, 154, 160))
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.72, 0.95)


def _paint_peak(stage: Stage, x: float, top: float, half: float, far: float) -> None:
    base, solid, wild = 0.66, stage.solid, stage.random.uniform(-0.05, 0.05)
    light, shade = stage.tone((158, 166, 190), far), stage.tone((88, 98, 140), far)
    deep = stage.tone((112, 122, 160), far)
    snow, blue = stage.tone(GROUND_SNOW, far), stage.tone((172, 192, 226), far)

    def at(*places: tuple[float, float]) -> list[Point]:
        return stage.flip(
            [(half * across, top + (base - top) * down) for across, down in places], x
        )

    left = ((-1, 1), (-0.54, 0.56), (-0.3 + wild, 0.3))
    right = ((0.26 + wild, 0.3), (0.54, 0.52), (1, 1))
    spine = ((0.07, 0.14), (-0.04, 0.32), (0.13, 0.5), (0.04, 0.7), (0.2, 1))
    solid.polygon(at(*left, (0, 0), *right), light)
    solid.polygon(at((0, 0), *right, *reversed(spine)), shade)
    solid.polygon(
        at((-0.24, 0.4), (-0.12, 0.62), (-0.2, 0.8), (-0.06, 1), (-0.5, 1), (-0.34, 0.7)), deep
    )
    solid.polygon(
        at((0.34, 0.46), (0.5, 0.66), (0.44, 0.8), (0.6, 1), (0.32, 1), (0.26, 0.7)), deep
    )
    jag = ((-0.24, 0.42), (-0.19, 0.33), (-0.12, 0.5), (-0.04, 0.32), (0.07, 0.14))
    solid.polygon(at((0, 0), left[2], *jag), snow)
    teeth = ((0.07, 0.14), (-0.04, 0.32), (0.05, 0.44), (0.11, 0.31), (0.18, 0.43), right[0])
    solid.polygon(at((0, 0), *teeth), blue)


def paint_meadow(stage: Stage) -> None:
    """Paint rolling green hills with a fence and flowers."""
    stage.plane(stage.rolling(0.455, 0.04, 1.5), 0.6, stage.earth((128, 172, 156), 0.5, 0.76))
    far = stage.rolling(0.515, 0.045, 1.9)
    stage.plane(far, 0.68, stage.earth((120, 178, 116), 0.3, 0.76))
    stage.band(far, 0.02, 0.034, stage.earth((160, 196, 116), 0.3, 0.76))
    middle = stage.rolling(0.59, 0.045, 1.5)
    stage.plane(middle, 0.8, stage.earth((136, 188, 92), 0.12, 0.76))
    stage.band(middle, 0.022, 0.04, stage.earth((196, 206, 104), 0.12, 0.76))
    stage.band(middle, 0.06, 0.074, stage.earth((196, 206, 104), 0.12, 0.76))
    near = stage.rolling(0.685, 0.028, 1.2)
    stage.plane(near, 1, stage.earth((112, 174, 80), cover=0.8))
    way = stage.random.uniform(0.5, 1)
    paint_path(stage, way, stage.along(near, way) + 0.002, (222, 204, 148), wide=0.22)
    fence = [(x, y + 0.04) for x, y in near]
    wood = (150, 122, 104) if stage.air.snowy else (238, 224, 198)
    gap = round(way / CANVAS_WIDTH * len(near))
    for part in (fence[: gap - 1], fence[gap + 2 :]):
        paint_fence(stage, part, 2, 0.058, wood)
    stage.plane(stage.rolling(0.95, 0.022, 1.3), 1, stage.earth((70, 132, 64), cover=0.7))
    for x in stage.spread(4):
        paint_bush(
            stage,
            x,
            0.605 + stage.random.uniform(0, 0.03),
            stage.random.uniform(0.014, 0.024),
            (70, 130, 72),
            0.14,
        )
    paint_tufts(stage, 22, 0.73, 0.99, (56, 112, 56))
    paint_flowers(
        stage, 14, 0.75, 0.98, ((250, 246, 232), (226, 74, 70), (248, 206, 80), (236, 150, 190))
    )
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.75, 0.95)


def paint_forest(stage: Stage) -> None:
    """Paint firs and round trees around a clearing."""
    random = stage.random
    for y, high, count, colour, far in (
        (0.62, 0.22, 26, (64, 112, 102), 0.56),
        (0.66, 0.27, 21, (42, 92, 78), 0.32),
    ):
        _paint_row(stage, y, high, count, stage.earth(colour, far, 0.3))
    floor = stage.rolling(0.685, 0.01, 2)
    stage.plane(floor, 1, stage.earth((112, 148, 78)))
    for depth in range(3):
        base, high = 0.69 + 0.022 * depth, 0.4 + 0.06 * depth
        for side in (-1, 1):
            for place in range(2):
                away = 0.73 - 0.19 * (2 - depth) * 0.55 - 0.17 * place + random.uniform(-0.04, 0.04)
                _paint_tree(
                    stage,
                    0.75 + side * max(away, 0.3 + 0.05 * depth),
                    base,
                    high * random.uniform(0.85, 1.05),
                    0.16 - 0.08 * depth,
                )
    way = random.uniform(0.65, 0.85)
    paint_path(stage, way, stage.along(floor, way) + 0.002, (206, 180, 132), wide=0.4)
    stage.plane(stage.rolling(0.965, 0.016, 1.6), 1, stage.earth((58, 104, 62)))
    paint_tufts(stage, 18, 0.74, 0.99, (58, 104, 58))
    paint_grass(stage, (36, 78, 54), 0.05, corners=0.14)
    paint_flowers(stage, 6, 0.78, 0.97, ((246, 240, 226), (212, 92, 88)))
    paint_rocks(stage, 5, 0.74, 0.97, (140, 140, 138))
    for x in (0.04, 0.2, 1.3, 1.46):
        paint_bush(
            stage, x + random.uniform(-0.03, 0.03), 0.75, random.uniform(0.025, 0.04), (74, 118, 66)
        )
    if stage.air.weather == "rain":
        paint_puddles(stage, 0.77, 0.94)


def _paint_row(stage: Stage, y: float, high: float, count: int, colour: Colour) -> None:
    line: list[Point] = [(0, y)]
    half = CANVAS_WIDTH / count * 0.8
    for x in stage.spread(count, 0.6):
        top = y - high * stage.random.uniform(0.7, 1.1)
        line += [
            (x - half, y - 0.02),
            (x - half * 0.25, top + high * 0.3),
            (x - half * 0.4, top + high * 0.32),
            (x, top),
        ]
        line += [
            (x + half * 0.4, top + high * 0.32),
            (x + half * 0.25, top + high * 0.3),
            (x + half, y - 0.02),
        ]
    stage.plane([*line, (CANVAS_WIDTH, y)], 0.72, colour)


def _paint_tree(stage: Stage, x: float, base: float, high: float, far: float) -> None:
    solid, random = stage.solid, stage.random
    trunk = stage.tone((92, 66, 54), far)
    if random.random() < 0.68:
        colour = random.choice(((38, 94, 72), (48, 108, 70), (32, 82, 72)))
        light, shade = (
            stage.earth(colour, far, 0.45),
            stage.tone(mix(colour, _COUNTRY_SHADOW, 0.4), far),
        )
        solid.rectangle(x - high * 0.03, base - high * 0.15, x + high * 0.03, base, trunk)
        for top, bottom, half in ((0.42, 0.1, 0.3), (0.72, 0.33, 0.23), (1, 0.58, 0.16)):
            low, tip, wide = base - high * bottom, base - high * top, high * half
            solid.polygon(
                stage.flip([(-wide, low), (0, tip), (wide, low), (0, low + high * 0.035)], x), light
            )
            solid.polygon(
                stage.flip(
                    [
                        (0, tip),
                        (wide, low),
                        (0, low + high * 0.035),
                        (wide * 0.16, low - high * 0.1),
                    ],
                    x,
                ),
                shade,
            )
        return
    colour = random.choice(((98, 142, 70), (82, 130, 74), (122, 150, 72)))
    light, shade = (
        stage.earth(colour, far, 0.45),
        stage.tone(mix(colour, _COUNTRY_SHADOW, 0.38), far),
    )
    high *= 0.82
    solid.rectangle(x - high * 0.035, base - high * 0.45, x + high * 0.035, base, trunk)
    solid.ellipse(x, base - high * 0.66, high * 0.29, high * 0.36, shade)
    middle = stage.flip([(-high * 0.05, 0)], x)[0][0]
    solid.ellipse(middle, base - high * 0.69, high * 0.235, high * 0.31, light)


def paint_snowfield(stage: Stage) -> None:
    """Paint white rolling hills with a fence, bare bushes and tracks."""
    random = stage.random
    stage.plane(stage.rolling(0.46, 0.03, 1.3), 0.62, stage.tone((206, 220, 238), 0.42))
    stage.plane(stage.rolling(0.52, 0.03, 1.6), 0.7, stage.tone((222, 232, 244), 0.2))
    middle = stage.rolling(0.6, 0.03, 1.3)
    stage.plane(middle, 0.8, stage.tone((196, 212, 236), 0.06))
    stage.band(middle, 0, 0.05, stage.tone((236, 242, 250), 0.06))
    near = stage.rolling(0.69, 0.028, 1.1)
    stage.plane(near, 1, stage.tone((246, 248, 252)))
    fence = [(x, y + 0.03) for x, y in near]
    start = random.choice((0, 21))
    paint_fence(stage, fence[start : start + random.randrange(14, 20)], 2, 0.07, (134, 104, 90))
    stage.plane(stage.rolling(0.8, 0.02, 1.2), 1, stage.tone((228, 236, 248)))
    stage.plane(stage.rolling(0.86, 0.02, 1.3), 1, stage.tone((246, 249, 253)))
    stage.plane(stage.rolling(0.965, 0.02, 1.3), 1, stage.tone((204, 218, 240)))
    for x in (random.uniform(0.06, 0.2), random.uniform(1.3, 1.44), random.uniform(0.5, 1)):
        _paint_bare_bush(stage, x, random.uniform(0.66, 0.74))
    _paint_tracks(stage)


def _paint_bare_bush(stage: Stage, x: float, y: float) -> None:
    colour = stage.tone((104, 82, 84))
    for lean, high in (
        (-0.05, 0.05),
        (-0.03, 0.075),
        (-0.008, 0.085),
        (0.018, 0.07),
        (0.045, 0.055),
    ):
        tip = (x + lean, y - high)
        stage.solid.line([(x, y), (x + lean * 0.4, y - high * 0.5), tip], 0.0035, colour)
        stage.solid.line(
            [(x + lean * 0.4, y - high * 0.5), (x + lean * 1.2 + 0.012, y - high * 0.8)],
            0.0025,
            colour,
        )
    stage.lens(x, y + 0.004, 0.05, 0.008, stage.tone((250, 252, 254)))


def _paint_tracks(stage: Stage) -> None:
    x, drift = stage.random.uniform(0.4, 1.1), stage.random.choice((-1, 1))
    colour = stage.tone((168, 188, 222))
    for i in range(14):
        near = i / 13
        y = 0.735 + 0.25 * near**1.3
        size = 0.004 + 0.008 * near
        middle = (
            x + drift * (0.25 * near - 0.3 * near * near) + (size * 1.4 if i % 2 else -size * 1.4)
        )
        stage.solid.ellipse(middle, y, size, size * 0.55, colour)
