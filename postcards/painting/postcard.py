"""Paints a whole postcard: backdrop, subjects from far to near, weather."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from postcards.painting.backdrops import paint_backdrop, paint_weather
from postcards.painting.brush import CANVAS_WIDTH, Brush
from postcards.painting.light import light_of
from postcards.painting.palette import PAINTS
from postcards.painting.subjects import SUBJECT_PAINTERS
from postcards.painting.water_settings import paint_islet
from postcards.scenes import KINDS, PLACES, compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from postcards.painting.brush import Light
    from postcards.scenes import Scene, Subject

SUPERSAMPLING = 2
"""The factor of supersampling along each side, for antialiasing."""

HEIGHTS = {
    "balloon": 0.32,
    "kite": 0.28,
    "bird": 0.17,
    "aeroplane": 0.15,
    "moon": 0.18,
    "rainbow": 0.42,
    "sailboat": 0.32,
    "ship": 0.24,
    "whale": 0.19,
    "duck": 0.18,
    "house": 0.28,
    "lighthouse": 0.42,
    "windmill": 0.38,
    "castle": 0.38,
    "tent": 0.23,
    "tree": 0.34,
    "palm": 0.38,
    "cactus": 0.28,
    "snowman": 0.27,
    "car": 0.155,
    "train": 0.14,
    "horse": 0.24,
    "cow": 0.21,
    "sheep": 0.19,
    "parasol": 0.25,
}
"""The height of a single large subject, in heights of the picture."""

WIDTHS = {
    "bird": 1.9,
    "aeroplane": 2.8,
    "rainbow": 2.6,
    "ship": 1.8,
    "whale": 2.1,
    "duck": 1.3,
    "house": 1.3,
    "lighthouse": 0.5,
    "castle": 1.2,
    "tent": 1.7,
    "car": 2.2,
    "train": 3.2,
    "horse": 1.25,
    "cow": 1.5,
    "sheep": 1.35,
    "parasol": 1.2,
    "cactus": 0.7,
}
"""The width of a subject in its own heights. Kinds that are not listed have OTHER_WIDTH."""

SCALE_BY_COUNT = {1: 1.0, 2: 0.75, 3: 0.6}
"""The scale of each thing, by the count of the subject."""

SMALL_SCALE = 0.6

WATER_LEVELS = {
    "sea": (0.66, 0.84),
    "beach": (0.56, 0.62),
    "harbour": (0.77, 0.9),
    "lake": (0.59, 0.66),
}
GROUND_LEVELS = {
    "sea": (0.68, 0.74),
    "beach": (0.82, 0.92),
    "harbour": (0.58, 0.6),
    "lake": (0.8, 0.92),
    "forest": (0.8, 0.9),
    "city": (0.83, 0.92),
}
"""The range of y for the feet of subjects, by setting. y is 0 at the top of the picture."""

OTHER_GROUND_LEVELS = (0.76, 0.9)
"""The range for all other settings."""

LOWEST_SKY_LEVEL = 0.5
"""The largest y of subjects in the sky."""


OTHER_WIDTH = 0.8


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing of a subject, with the position of its foot and its height.

    All are in heights of the picture.
    """

    subject: Subject
    x: float
    y: float
    height: float
    mirrored: bool

    @property
    def width(self) -> float:
        """The approximate width."""
        return self.height * WIDTHS.get(self.subject.kind, OTHER_WIDTH)


def draw(seed: int, size: tuple[int, int] = (960, 640)) -> tuple[Scene, Image.Image]:
    """Return the scene of a seed and its picture of ``size``, width and height in pixels.

    The same seed gives the same scene and, apart from its resolution, the same picture. The aspect
    ratio of a postcard is 3:2. Another ratio distorts it.
    """
    scene = compose(seed)
    return scene, paint(scene, size)


def paint(
    scene: Scene, size: tuple[int, int], *, supersampling: int = SUPERSAMPLING
) -> Image.Image:
    """Return a scene's picture of ``size``, width and height in pixels.

    It is painted ``supersampling`` times as large along each side, and reduced by the mean.
    """
    random = random_of(scene)
    brush = Brush.on_canvas(size[0] * supersampling, size[1] * supersampling)
    light = light_of(scene.setting, scene.time, scene.weather)
    figures = arrange(scene, random)
    paint_backdrop(brush, scene, random)
    for figure in figures:
        _paint_figure(brush, figure, scene, light, random)
    paint_weather(brush, scene, random)
    return brush.image.reduce(supersampling) if supersampling > 1 else brush.image


def paint_all(scenes: Sequence[Scene], size: tuple[int, int]) -> list[bytes]:
    """Return the RGB bytes of each picture. Runs in processes that do not import torch."""
    return [paint(scene, size).tobytes() for scene in scenes]


def random_of(scene: Scene) -> Random:
    """Return the generator for all details that the scene leaves open."""
    return Random(scene.seed)


def _paint_figure(brush: Brush, figure: Figure, scene: Scene, light: Light, random: Random) -> None:
    kind = figure.subject.kind
    if scene.setting == "sea" and KINDS[kind].zone == "ground":
        paint_islet(brush, figure.x, figure.y, 0.8 * figure.height + 0.06, light)
    own = brush.at(figure.x, figure.y, figure.height, light, mirrored=figure.mirrored)
    SUBJECT_PAINTERS[kind](own, PAINTS[figure.subject.colour or "white"], random)


def arrange(scene: Scene, random: Random) -> list[Figure]:
    """Place all subjects, from far to near. ``random`` has to be that of ``random_of``."""
    figures: list[Figure] = []
    for subject in scene.subjects:
        height = HEIGHTS[subject.kind] * SCALE_BY_COUNT[subject.count] * random.uniform(0.94, 1.06)
        if subject.size == "small":
            height *= SMALL_SCALE
        middle = CANVAS_WIDTH * (2 * PLACES.index(subject.place) + 1) / 6
        middle = CANVAS_WIDTH / 2 + (middle - CANVAS_WIDTH / 2) * 0.94 + random.uniform(-0.03, 0.03)
        top, bottom = _feet(subject, scene, height)
        level = random.uniform(top, bottom)
        mirrored = random.random() < 0.5
        for x, y in _formation(subject.count):
            # Spacing with jitter: things of a group are uneven and do not hide each other.
            figures.append(
                Figure(
                    subject,
                    middle + x + random.uniform(-0.012, 0.012),
                    min(bottom, max(top, level + y * _depth(subject, top, bottom))),
                    height,
                    mirrored,
                )
            )
    return sorted(figures, key=_nearness)


def _nearness(figure: Figure) -> tuple[bool, float]:
    # A rainbow is behind everything else, even if its foot is lower.
    return figure.subject.kind != "rainbow", figure.y


def _feet(subject: Subject, scene: Scene, height: float) -> tuple[float, float]:
    if KINDS[subject.kind].zone == "water":
        return WATER_LEVELS[scene.setting]
    if KINDS[subject.kind].zone == "ground":
        return GROUND_LEVELS.get(scene.setting, OTHER_GROUND_LEVELS)
    if subject.kind == "rainbow":
        return LOWEST_SKY_LEVEL - 0.03, LOWEST_SKY_LEVEL
    highest = 0.05 + height
    return highest, max(highest + 0.02, 0.4)


def _formation(count: int) -> list[tuple[float, float]]:
    if count == 1:
        return [(0, 0)]
    if count == 2:
        return [(-0.12, -0.5), (0.12, 0.5)]
    return [(-0.17, 0.5), (0, -0.8), (0.17, 0.7)]


def _depth(subject: Subject, top: float, bottom: float) -> float:
    return 0.12 if KINDS[subject.kind].zone == "sky" else (bottom - top) / 2
