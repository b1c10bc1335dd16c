"""Scenes: the content of a postcard. A scene has a setting, a time, a weather and 1-3 subjects."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal, TypeAlias

Zone: TypeAlias = Literal["sky", "water", "ground"]

TIMES = ("dawn", "day", "sunset", "night")
WEATHERS = ("clear", "cloudy", "rain", "snow", "fog")
PLACES = ("left", "centre", "right")
SUBJECT_SIZES = ("small", "large")
COLOURS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "white",
    "black",
    "brown",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of subject: its zone of the picture, its colours, and its highest count."""

    zone: Zone
    colours: tuple[str, ...] = ()
    """Empty if captions name no colour of this kind."""

    max_count: int = 3


def _colours(names: str) -> tuple[str, ...]:
    return tuple(names.split())


SKY_SUBJECT_CHANCE = 0.35
"""The probability that a subject is in the sky."""

BRIGHT = _colours("red orange yellow green blue purple pink")

KINDS = {
    "balloon": Kind("sky", BRIGHT),
    "kite": Kind("sky", BRIGHT),
    "bird": Kind("sky", _colours("red blue white black brown")),
    "aeroplane": Kind("sky", _colours("red yellow blue white"), max_count=2),
    "moon": Kind("sky", max_count=1),
    "rainbow": Kind("sky", max_count=1),
    "sailboat": Kind("water", (*BRIGHT, "white", "black")),
    "ship": Kind("water", _colours("red green blue white black"), max_count=2),
    "whale": Kind("water", _colours("blue white black"), max_count=2),
    "duck": Kind("water", _colours("yellow white brown")),
    "house": Kind("ground", (*BRIGHT, "white")),
    "lighthouse": Kind("ground", _colours("red green blue black"), max_count=1),
    "windmill": Kind("ground", _colours("red blue white brown"), max_count=2),
    "castle": Kind("ground", _colours("blue pink white brown"), max_count=1),
    "tent": Kind("ground", BRIGHT),
    "tree": Kind("ground", _colours("red orange yellow green pink")),
    "palm": Kind("ground"),
    "cactus": Kind("ground"),
    "snowman": Kind("ground"),
    "car": Kind("ground", (*BRIGHT, "white", "black")),
    "train": Kind("ground", _colours("red yellow green blue black"), max_count=1),
    "horse": Kind("ground", _colours("white black brown")),
    "cow": Kind("ground", _colours("white black brown")),
    "sheep": Kind("ground", _colours("white black")),
    "parasol": Kind("ground", BRIGHT),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: the kinds of subject and the weathers that can occur in it."""

    kinds: tuple[str, ...]
    weathers: tuple[str, ...] = WEATHERS
    shows: tuple[str, ...] = ()
    """Kinds that are part of the setting itself, without a count and a colour."""


def _setting(kinds: str, *, without: str = "", shows: tuple[str, ...] = ()) -> Setting:
    sky = tuple(name for name, kind in KINDS.items() if kind.zone == "sky")
    weathers = tuple(weather for weather in WEATHERS if weather not in without.split())
    return Setting((*sky, *kinds.split()), weathers, shows)


SETTINGS = {
    "sea": _setting("sailboat ship whale lighthouse house palm"),
    "beach": _setting("sailboat ship whale palm parasol tent horse lighthouse", without="snow"),
    "harbour": _setting("sailboat ship duck lighthouse car train", shows=("house",)),
    "lake": _setting("sailboat duck house castle windmill tent tree parasol horse cow snowman"),
    "mountains": _setting("house castle tent tree train car horse cow sheep snowman"),
    "meadow": _setting("house windmill castle tent tree car train horse cow sheep snowman"),
    "forest": _setting("house castle tent car horse train snowman", shows=("tree",)),
    "desert": _setting("cactus palm tent car train horse castle house", without="snow fog"),
    "city": _setting("tree car train horse", shows=("house",)),
    "village": _setting("tree windmill castle car train horse cow sheep snowman", shows=("house",)),
    "snowfield": _setting("snowman house tent tree castle train car horse", without="rain"),
    "canyon": _setting("cactus tent car train horse castle", without="snow"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One to three things of the same kind and colour, at one place of the picture."""

    kind: str
    colour: str | None
    count: int
    size: str | None
    """None unless the count is 1."""

    place: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The content of a postcard. ``seed`` decides all details that captions do not mention."""

    seed: int
    setting: str
    time: str
    weather: str
    subjects: tuple[Subject, ...]

    @property
    def is_held_out(self) -> bool:
        """Whether the scene has a combination that is kept from training.

        One in eight combinations of setting, kind and colour is held out, and one in eight
        combinations of setting, time and weather.
        """
        return _is_held_out(self.setting, self.time, self.weather) or any(
            _is_held_out(self.setting, subject.kind, subject.colour) for subject in self.subjects
        )


def compose(seed: int) -> Scene:
    """Return the scene of a seed. The same seed gives the same scene."""
    random = Random(seed)
    setting = random.choice(tuple(SETTINGS))
    time = random.choice(TIMES)
    weather = random.choice(SETTINGS[setting].weathers)
    places = random.sample(PLACES, random.choice((1, 2, 2, 3)))
    possible = kinds_of(setting, time, weather)
    kinds: list[str] = []
    for _ in places:
        in_sky = random.random() < SKY_SUBJECT_CHANCE
        pool = [
            kind for kind in possible if (KINDS[kind].zone == "sky") is in_sky and kind not in kinds
        ]
        kinds.append(random.choice(pool))
    subjects = (_subject(kind, place, random) for kind, place in zip(kinds, places, strict=True))
    return Scene(seed, setting, time, weather, tuple(subjects))


def kinds_of(setting: str, time: str, weather: str) -> list[str]:
    """Return the kinds of subject that are possible there."""
    absent = set()
    if time != "night" or weather == "fog":
        absent.add("moon")
    if time == "night" or weather in {"snow", "fog"}:
        absent.add("rainbow")
    if setting != "snowfield" and weather != "snow":
        absent.add("snowman")
    if weather == "snow":
        absent.add("palm")
    return [kind for kind in SETTINGS[setting].kinds if kind not in absent]


def _subject(name: str, place: str, random: Random) -> Subject:
    kind = KINDS[name]
    count = random.randint(1, kind.max_count)
    return Subject(
        kind=name,
        colour=random.choice(kind.colours) if kind.colours else None,
        count=count,
        size=random.choice(SUBJECT_SIZES) if count == 1 and name != "rainbow" else None,
        place=place,
    )


@cache
def _is_held_out(*combination: str | None) -> bool:
    digest = hashlib.sha256(" ".join(str(part) for part in combination).encode()).digest()
    return digest[0] < 32
