"""The content of captions: any part of a scene, from a single attribute to all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from postcards.facts import CLASSES
from postcards.scenes import (
    COLOURS,
    KINDS,
    PLACES,
    SETTINGS,
    SUBJECT_SIZES,
    TIMES,
    WEATHERS,
    Subject,
)

if TYPE_CHECKING:
    from random import Random

    from postcards.scenes import Scene


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing with its attributes: a kind, a class of several kinds, or ``something``."""

    thing: str
    colour: str | None = None
    count: int | None = None
    size: str | None = None
    place: str | None = None

    @property
    def claims(self) -> set[str]:
        """The facts that the mention asserts."""
        facts = set() if self.thing == "something" else {self.thing}
        if self.colour and self.thing == "something":
            facts.add(f"something {self.colour}")
        elif self.colour:
            facts.add(f"{self.colour} {self.thing}")
        if self.count:
            facts.add(f"{self.count} {self.thing}")
        if self.size:
            facts.add(f"{self.size} {self.thing}")
        if self.place:
            facts.add(f"{self.thing} {self.place}")
        return facts


@dataclass(frozen=True, slots=True)
class Description:
    """The content of one caption. What is None or empty is not mentioned."""

    mentions: tuple[Mention, ...] = ()
    setting: str | None = None
    """A setting, or ``water``."""

    time: str | None = None
    weather: str | None = None
    """A weather, or ``winter``."""

    @property
    def claims(self) -> set[str]:
        """The facts that the description asserts. It is true if all of them hold."""
        facts = set().union(*(mention.claims for mention in self.mentions))
        facts |= {fact for fact in (self.setting, self.time) if fact}
        if self.weather:
            facts.add(self.weather if self.weather == "winter" else f"{self.weather} weather")
        return facts


def describe_fully(scene: Scene) -> Description:
    """Return a description of everything in the scene."""
    return Description(
        tuple(_mention(subject) for subject in scene.subjects),
        scene.setting,
        scene.time,
        scene.weather,
    )


def describe_partly(scene: Scene, random: Random, *, share: float) -> Description:
    """Return a description of each part with probability ``share``, and of at least one."""
    subjects = [subject for subject in scene.subjects if random.random() < share]
    setting = scene.setting if random.random() < share else None
    time = scene.time if random.random() < share else None
    weather = scene.weather if random.random() < share else None
    if not (subjects or setting or time or weather):
        subjects = [random.choice(scene.subjects)]
    return Description(
        tuple(_omit_attributes(_mention(subject), random, share) for subject in subjects),
        setting,
        time,
        _generalise(weather, scene, random),
    )


def describe_a_subject(scene: Scene, random: Random) -> Description:
    """Return a description of one subject only."""
    return Description((_omit_attributes(_mention(random.choice(scene.subjects)), random, 0.6),))


def alter(scene: Scene, random: Random) -> Scene:
    """Return a near miss: the scene with one change, or rarely without any.

    A change replaces an attribute or kind of one subject, or swaps the colours of two.
    """
    first, *others = random.sample(scene.subjects, len(scene.subjects))
    coloured = [other for other in others if other.colour and first.colour]
    if coloured and random.random() < 0.4:
        second = coloured[0]
        changed = {
            first: replace(first, colour=second.colour),
            second: replace(second, colour=first.colour),
        }
    else:
        changed = {first: _alter_subject(first, scene, random)}
    return replace(
        scene, subjects=tuple(changed.get(subject, subject) for subject in scene.subjects)
    )


def random_concept(random: Random) -> Description:
    """Return a query that does not refer to a picture: one concept, or two combined."""
    concept = random.choice(_CONCEPT_GENERATORS)(random)
    if random.random() < 0.25:
        other = random.choice((_some_setting, _some_time, _some_weather))(random)
        concept = Description(
            concept.mentions,
            concept.setting or other.setting,
            concept.time or other.time,
            concept.weather or other.weather,
        )
    return concept


def random_detail(random: Random) -> Description:
    """Return a kind with a colour or with a number."""
    return random.choice((_some_colour, _some_number))(random)


def _mention(subject: Subject) -> Mention:
    place = None if subject.kind == "rainbow" else subject.place
    return Mention(subject.kind, subject.colour, subject.count, subject.size, place)


def _omit_attributes(mention: Mention, random: Random, share: float) -> Mention:
    if random.random() < 0.12:
        names = [name for name, kinds in CLASSES.items() if mention.thing in kinds]
        if names:
            return Mention(
                random.choice(names), mention.colour if random.random() < share else None
            )
        if mention.colour:
            return Mention("something", mention.colour)
    return Mention(
        mention.thing,
        mention.colour if random.random() < share else None,
        mention.count if random.random() < share else None,
        mention.size if random.random() < 0.6 * share else None,
        mention.place if random.random() < 0.6 * share else None,
    )


def _generalise(weather: str | None, scene: Scene, random: Random) -> str | None:
    wintry = weather == "snow" or (weather and scene.setting == "snowfield")
    return "winter" if wintry and random.random() < 0.5 else weather


def _alter_subject(subject: Subject, scene: Scene, random: Random) -> Subject:
    kind = KINDS[subject.kind]
    match random.choice(("colour", "colour", "count", "count", "kind", "size", "place")):
        case "colour" if kind.colours:
            return replace(subject, colour=random.choice(COLOURS))
        case "count":
            return replace(subject, count=random.randint(1, 3), size=None)
        case "size" if subject.size:
            return replace(subject, size=random.choice(SUBJECT_SIZES))
        case "place":
            return replace(subject, place=random.choice(PLACES))
    return replace(subject, kind=random.choice(SETTINGS[scene.setting].kinds))


def _some_kind(random: Random) -> Description:
    return Description((Mention(random.choice(tuple(KINDS))),))


def _some_colour(random: Random) -> Description:
    name, kind = random.choice([(name, kind) for name, kind in KINDS.items() if kind.colours])
    return Description((Mention(name, random.choice(kind.colours)),))


def _some_number(random: Random) -> Description:
    name, kind = random.choice([(name, kind) for name, kind in KINDS.items() if kind.max_count > 1])
    return Description((Mention(name, count=random.randint(1, kind.max_count)),))


def _some_class(random: Random) -> Description:
    name = random.choice((*CLASSES, "something"))
    if name == "something" or random.random() < 0.5:
        return Description((Mention(name, random.choice(COLOURS)),))
    return Description((Mention(name),))


def _two_kinds(random: Random) -> Description:
    return Description(tuple(map(Mention, random.sample(tuple(KINDS), 2))))


def _some_setting(random: Random) -> Description:
    return Description(setting=random.choice((*SETTINGS, "water")))


def _some_time(random: Random) -> Description:
    return Description(time=random.choice(TIMES))


def _some_weather(random: Random) -> Description:
    return Description(weather=random.choice((*WEATHERS, "winter")))


_CONCEPT_GENERATORS = (
    _some_kind,
    _some_kind,
    _some_colour,
    _some_colour,
    _some_number,
    _some_number,
    _some_class,
    _two_kinds,
    _some_setting,
    _some_time,
    _some_weather,
)
