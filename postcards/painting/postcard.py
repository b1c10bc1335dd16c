"""A whole postcard: the backdrop, the subjects from the farthest to the nearest, the weather."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from postcards.painting.backdrops import paint_backdrop, paint_weather
from postcards.painting.brush import WIDTH, Brush
from postcards.painting.light import light_of
from postcards.painting.palette import PAINTS
from postcards.painting.subjects import PAINTERS
from postcards.painting.water_settings import paint_islet
from postcards.scenes import KINDS, PLACES, compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from postcards.painting.brush import Light
    from postcards.scenes import Scene, Subject

SMOOTH = 2
"""How many pixels are painted for one, along each side: the rest is antialiasing."""

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
"""Of one large subject, in heights of the picture."""

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
"""Of a subject, in its own heights; of all others about 0.8."""

SHRUNK = {1: 1.0, 2: 0.75, 3: 0.6}
"""By how many stand together."""

SMALL = 0.6

WATER = {
    "sea": (0.66, 0.84),
    "beach": (0.56, 0.62),
    "harbour": (0.77, 0.9),
    "lake": (0.59, 0.66),
}
GROUND = {
    "sea": (0.68, 0.74),
    "beach": (0.82, 0.92),
    "harbour": (0.58, 0.6),
    "lake": (0.8, 0.92),
    "forest": (0.8, 0.9),
    "city": (0.83, 0.92),
}
"""Where the feet of subjects are, from the top of the picture."""

PLAIN = (0.76, 0.9)
"""The same for all other settings."""

HORIZON = 0.5
"""No sky subject comes lower than this."""


WIDTH_OF_OTHERS = 0.8


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing of a subject: where it stands and how high it is, in heights of the picture."""

    subject: Subject
    x: float
    y: float
    height: float
    mirrored: bool

    @property
    def width(self) -> float:
        """About how wide it is."""
        return self.height * WIDTHS.get(self.subject.kind, WIDTH_OF_OTHERS)


def draw(seed: int, size: tuple[int, int] = (960, 640)) -> tuple[Scene, Image.Image]:
    """Return the scene of a seed and its picture, ``size`` pixels wide and high.

    The same seed is the same scene, and the same picture but for its resolution. A postcard's
    sides are as 3 to 2; another shape stretches it.
    """
    scene = compose(seed)
    return scene, paint(scene, size)


def paint(scene: Scene, size: tuple[int, int], *, smooth: int = SMOOTH) -> Image.Image:
    """Return a scene's picture, each pixel the mean of ``smooth`` x ``smooth`` painted ones."""
    random = luck_of(scene)
    brush = Brush.on_canvas(size[0] * smooth, size[1] * smooth)
    light = light_of(scene.setting, scene.time, scene.weather)
    figures = arrange(scene, random)
    paint_backdrop(brush, scene, random)
    for figure in figures:
        _paint_figure(brush, figure, scene, light, random)
    paint_weather(brush, scene, random)
    return brush.image.reduce(smooth) if smooth > 1 else brush.image


def paint_all(scenes: Sequence[Scene], size: tuple[int, int]) -> list[bytes]:
    """Return the pixels of pictures, three bytes each: work for a process that loads no torch."""
    return [paint(scene, size).tobytes() for scene in scenes]


def luck_of(scene: Scene) -> Random:
    """Return what decides all that a scene leaves open."""
    return Random(scene.seed)


def _paint_figure(brush: Brush, figure: Figure, scene: Scene, light: Light, random: Random) -> None:
    kind = figure.subject.kind
    if scene.setting == "sea" and KINDS[kind].zone == "ground":
        paint_islet(brush, figure.x, figure.y, 0.8 * figure.height + 0.06, light)
    own = brush.at(figure.x, figure.y, figure.height, light, mirrored=figure.mirrored)
    PAINTERS[kind](own, PAINTS[figure.subject.colour or "white"], random)


def arrange(scene: Scene, random: Random) -> list[Figure]:
    """Give everything its place, the farthest first. ``random`` is that of the scene's seed."""
    figures: list[Figure] = []
    for subject in scene.subjects:
        height = HEIGHTS[subject.kind] * SHRUNK[subject.count] * random.uniform(0.94, 1.06)
        if subject.size == "small":
            height *= SMALL
        middle = WIDTH * (2 * PLACES.index(subject.place) + 1) / 6
        middle = WIDTH / 2 + (middle - WIDTH / 2) * 0.94 + random.uniform(-0.03, 0.03)
        top, bottom = _feet(subject, scene, height)
        level = random.uniform(top, bottom)
        mirrored = random.random() < 0.5
        for x, y in _formation(subject.count):
            # A group stands apart and unevenly, and no one in it hides another.
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
    # A rainbow stands behind everything, however low it comes.
    return figure.subject.kind != "rainbow", figure.y


def _feet(subject: Subject, scene: Scene, height: float) -> tuple[float, float]:
    if KINDS[subject.kind].zone == "water":
        return WATER[scene.setting]
    if KINDS[subject.kind].zone == "ground":
        return GROUND.get(scene.setting, PLAIN)
    if subject.kind == "rainbow":
        return HORIZON - 0.03, HORIZON
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
