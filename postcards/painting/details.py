"""Details of settings: grass, flowers, stones, bushes, fences, reeds, paths, puddles, lamps."""
# ruff: noqa: PLR0913, PLR0917 - drawings take many coordinates

from __future__ import annotations

from typing import TYPE_CHECKING

from postcards.painting.brush import CANVAS_WIDTH, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postcards.painting.brush import Colour, Point
    from postcards.painting.stage import Stage


def paint_tufts(stage: Stage, count: int, top: float, bottom: float, colour: Colour) -> None:
    """Scatter tufts of grass."""
    random, solid = stage.random, stage.solid
    tone = stage.tone(colour)
    for x in stage.spread(count, 1):
        y = random.uniform(top, bottom)
        size = 0.008 + 0.028 * max(0, y - 0.55)
        lean = random.uniform(-0.4, 0.4) * size
        for dx, high in ((-0.9, 1.2), (0, 2), (0.9, 1.4)):
            foot = x + dx * size * 0.5
            solid.polygon(
                [
                    (foot - size * 0.22, y),
                    (foot + dx * size * 0.6 + lean, y - high * size),
                    (foot + size * 0.22, y),
                ],
                tone,
            )


def paint_grass(stage: Stage, colour: Colour, height: float, *, corners: float = 0.1) -> None:
    """Paint blades along the lower edge, taller in both corners."""
    random = stage.random
    points: list[Point] = [(0, 1)]
    x = 0.0
    while x < CANVAS_WIDTH:
        aside = abs(x / CANVAS_WIDTH * 2 - 1) ** 5
        high = (height + (corners - height) * aside) * random.uniform(0.35, 1)
        if high > 0.01:
            points += [(x + random.uniform(-0.012, 0.012), 1 - high), (x + 0.009, 1 - high * 0.2)]
        else:
            points += [(x, 1), (x + 0.009, 1)]
        x += 0.02
    stage.solid.polygon([*points, (CANVAS_WIDTH, 1)], stage.earth(colour, cover=0.35))


def paint_flowers(
    stage: Stage, count: int, top: float, bottom: float, colours: Sequence[Colour]
) -> None:
    """Scatter flowers, in drifts of one colour each."""
    if stage.air.snowy:
        return
    random, solid = stage.random, stage.solid
    tones = [stage.tone(colour) for colour in colours]
    for x in stage.spread(count, 1):
        tone = random.choice(tones)
        middle = random.uniform(top, bottom)
        for _ in range(4):
            y = min(0.99, middle + random.uniform(-0.02, 0.02))
            size = 0.0035 + 0.014 * max(0, y - 0.6)
            solid.ellipse(x + random.uniform(-0.06, 0.06), y, size, size * 0.8, tone)


def paint_rocks(stage: Stage, count: int, top: float, bottom: float, colour: Colour) -> None:
    """Scatter stones with a light and a dark side."""
    random = stage.random
    light, shade = stage.earth(colour, cover=0.6), stage.tone(mix(colour, (30, 26, 50), 0.4))
    for x in stage.spread(count, 1):
        y = random.uniform(top, bottom)
        size = (0.014 + 0.05 * max(0, y - 0.6)) * random.uniform(0.7, 1.3)
        stage.solid.polygon(
            stage.flip(
                [
                    (-size, y),
                    (-size * 0.6, y - size * 0.6),
                    (size * 0.3, y - size * 0.75),
                    (size * 1.1, y),
                ],
                x,
            ),
            light,
        )
        stage.solid.polygon(
            stage.flip([(size * 0.05, y), (size * 0.3, y - size * 0.75), (size * 1.1, y)], x), shade
        )


def paint_bush(
    stage: Stage, x: float, y: float, size: float, colour: Colour, far: float = 0
) -> None:
    """Paint a low round bush with its foot at y."""
    light = stage.earth(colour, far, 0.6)
    shade = stage.tone(mix(colour, (16, 26, 50), 0.35), far)
    side = 1 if stage.lit_left else -1
    for dx, half, high in ((-0.8, 0.6, 0.5), (0.7, 0.7, 0.55), (0, 0.8, 0.8)):
        middle = x + dx * size
        stage.solid.sector(middle, y, half * size, high * size, 180, 360, shade)
        stage.solid.sector(
            middle - side * size * 0.12, y, half * size * 0.75, high * size * 0.85, 180, 360, light
        )


def paint_fence(
    stage: Stage, line: Sequence[Point], step: int, height: float, colour: Colour
) -> None:
    """Paint a wooden fence along a line, with a post at every ``step``-th of its points."""
    light, shade = stage.tone(colour), stage.tone(mix(colour, (30, 20, 50), 0.35))
    for share in (0.38, 0.78):
        stage.solid.line([(x, y - height * share) for x, y in line], height * 0.11, shade)
    half = height * 0.1
    for x, y in line[::step]:
        stage.solid.polygon(
            [
                (x - half, y),
                (x - half, y - height),
                (x, y - height * 1.12),
                (x + half, y - height),
                (x + half, y),
            ],
            light,
        )


def paint_reeds(stage: Stage, x: float, y: float, height: float, colour: Colour) -> None:
    """Paint a clump of reeds with brown heads."""
    random = stage.random
    tones = stage.tone(colour), stage.tone(mix(colour, (20, 30, 30), 0.35))
    head = stage.tone((112, 68, 42))
    for i in range(9):
        foot = x + (i - 4) * 0.011 + random.uniform(-0.004, 0.004)
        lean, high = random.uniform(-0.02, 0.02) + (i - 4) * 0.004, height * random.uniform(0.6, 1)
        stage.solid.polygon(
            [(foot - 0.004, y), (foot + lean, y - high), (foot + 0.004, y)], tones[i % 2]
        )
        if i % 3 == 1:
            stage.solid.ellipse(foot + lean, y - high, 0.006, 0.022, head)


def paint_path(
    stage: Stage, x: float, top: float, colour: Colour, *, narrow: float = 0.03, wide: float = 0.3
) -> None:
    """Paint a winding path from the foreground to a far point."""
    bend = stage.random.uniform(0.08, 0.16) * stage.random.choice((-1, 1))
    foot = x + stage.random.uniform(-0.2, 0.2)
    left: list[Point] = []
    right: list[Point] = []
    for i in range(13):
        near = i / 12
        middle = x + (foot - x) * near + bend * (near * (1 - near)) * 4 * (1 - near * 0.6)
        half = (narrow + (wide - narrow) * near**1.6) / 2
        y = top + (1 - top) * near
        left.append((middle - half, y))
        right.append((middle + half, y))
    stage.solid.polygon([*left, *reversed(right)], stage.earth(colour, cover=0.62))


def paint_puddles(stage: Stage, top: float, bottom: float) -> None:
    """Paint puddles that reflect the sky."""
    air, random = stage.air, stage.random
    for x in stage.spread(6):
        y = top + (bottom - top) * random.random()
        rx = random.uniform(0.05, 0.09) * (0.4 + 0.8 * (y - 0.5) * 2)
        stage.lens(
            x, y + 0.004, rx * 1.1, rx * 0.2, mix(air.tone((90, 90, 100)), (20, 20, 40), 0.3)
        )
        stage.solid.ellipse(x, y, rx, rx * 0.17, mix(air.sky[-2], (255, 255, 255), 0.12))
        stage.solid.ellipse(
            x + rx * 0.2, y, rx * 0.45, rx * 0.07, mix(air.sky[-1], (255, 255, 255), 0.3)
        )


def paint_lamp(stage: Stage, x: float, y: float, height: float) -> None:
    """Paint a street lamp, which is lit at night."""
    tone = stage.tone((46, 48, 60))
    top = y - height
    stage.solid.rectangle(x - 0.0035, top, x + 0.0035, y, tone)
    stage.solid.rectangle(x - 0.008, y - 0.02, x + 0.008, y, tone)
    glass = (255, 226, 150) if stage.air.dark else (236, 232, 214)
    if stage.air.dark:
        stage.brush.ellipse(x, top - 0.012, 0.05, 0.05, glass, alpha=0.14)
        stage.brush.ellipse(x, top - 0.012, 0.028, 0.028, glass, alpha=0.25)
    stage.solid.polygon(
        [(x - 0.008, top), (x - 0.013, top - 0.026), (x + 0.013, top - 0.026), (x + 0.008, top)],
        glass if stage.air.dark else stage.tone(glass),
    )
    stage.solid.polygon([(x - 0.016, top - 0.026), (x, top - 0.04), (x + 0.016, top - 0.026)], tone)
