"""Paints everything but the subjects: the setting behind them and the weather before them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from postcards.painting import weather
from postcards.painting.city_setting import paint_city
from postcards.painting.dry_settings import paint_canyon, paint_desert
from postcards.painting.land_settings import (
    paint_forest,
    paint_meadow,
    paint_mountains,
    paint_snowfield,
)
from postcards.painting.light import air_of
from postcards.painting.sky import paint_sky
from postcards.painting.stage import Stage
from postcards.painting.town_settings import paint_harbour, paint_village
from postcards.painting.water_settings import paint_beach, paint_lake, paint_sea

if TYPE_CHECKING:
    from collections.abc import Callable

    from postcards.painting.brush import Brush
    from postcards.scenes import Scene

_SETTING_PAINTERS: dict[str, tuple[Callable[[Stage], None], float, float]] = {
    "sea": (paint_sea, 0.52, 0.45),
    "beach": (paint_beach, 0.46, 0.39),
    "harbour": (paint_harbour, 0.53, 0.25),
    "lake": (paint_lake, 0.51, 0.3),
    "mountains": (paint_mountains, 0.66, 0.24),
    "meadow": (paint_meadow, 0.55, 0.4),
    "forest": (paint_forest, 0.66, 0.33),
    "desert": (paint_desert, 0.57, 0.45),
    "city": (paint_city, 0.7, 0.36),
    "village": (paint_village, 0.6, 0.36),
    "snowfield": (paint_snowfield, 0.55, 0.4),
    "canyon": (paint_canyon, 0.66, 0.38),
}
"""By setting: its painter, the y of its horizon, and the y of a low sun."""


def paint_backdrop(brush: Brush, scene: Scene, random: Random) -> None:
    """Paint everything behind the subjects."""
    air = air_of(scene.setting, scene.time, scene.weather)
    # A generator of its own, so that changes of the backdrop do not change the subjects.
    own = Random(random.getrandbits(32))
    stage = Stage.on(brush, air, own)
    paint_setting, horizon, low_sun = _SETTING_PAINTERS[scene.setting]
    paint_sky(stage, horizon, low_sun)
    paint_setting(stage)
    if scene.weather == "fog":
        weather.paint_distance(brush, air, horizon)


def paint_weather(brush: Brush, scene: Scene, random: Random) -> None:
    """Paint what is in front of the subjects: rain, snow, fog, and the grain of the paper."""
    air = air_of(scene.setting, scene.time, scene.weather)
    if scene.weather == "rain":
        weather.paint_rain(brush, air, random)
    elif scene.weather == "snow":
        weather.paint_snowfall(brush, air, random)
    elif scene.weather == "fog":
        weather.paint_fog(brush, air, random)
    weather.paint_paper(brush, random)
