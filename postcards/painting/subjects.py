"""The painter of each kind of subject."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from postcards.painting import (
    animals,
    boats,
    buildings,
    holidays,
    plants,
    sky_things,
    vehicles,
    waterfowl,
)
from postcards.painting.brush import Brush, Colour

Painter: TypeAlias = Callable[[Brush, Colour, Random], None]

SUBJECT_PAINTERS: dict[str, Painter] = {
    "balloon": holidays.balloon,
    "kite": holidays.kite,
    "bird": waterfowl.bird,
    "aeroplane": vehicles.aeroplane,
    "moon": sky_things.moon,
    "rainbow": sky_things.rainbow,
    "sailboat": boats.sailboat,
    "ship": boats.ship,
    "whale": waterfowl.whale,
    "duck": waterfowl.duck,
    "house": buildings.house,
    "lighthouse": buildings.lighthouse,
    "windmill": buildings.windmill,
    "castle": buildings.castle,
    "tent": holidays.tent,
    "tree": plants.tree,
    "palm": plants.palm,
    "cactus": plants.cactus,
    "snowman": holidays.snowman,
    "car": vehicles.car,
    "train": vehicles.train,
    "horse": animals.horse,
    "cow": animals.cow,
    "sheep": animals.sheep,
    "parasol": holidays.parasol,
}
"""By kind. Each paints with a brush whose origin is the foot of the subject."""
