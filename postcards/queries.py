"""What a model is asked when it is measured, and of which pictures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from typing import TYPE_CHECKING

from postcards.descriptions import Description, Mention
from postcards.scenes import KINDS, SETTINGS, TIMES, WEATHERS, compose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postcards.scenes import Scene

FIRST = 10_000_000
"""The first seed of scenes to measure with: far behind those that are trained on."""

RELEVANT = 12
DISTRACTING = 36


@dataclass(frozen=True, slots=True)
class Trial:
    """A query of one mention, scenes where it is true, and three times as many near misses."""

    description: Description
    scenes: tuple[Scene, ...]


def held_out_scenes(number: int) -> list[Scene]:
    """Return scenes with combinations that no model was trained on."""
    return list(islice(_held_out(), number))


def vocabulary() -> list[Description]:
    """Return one query for each subject, setting, time of day and weather."""
    return [
        *(Description((Mention(kind),)) for kind in KINDS),
        *(Description(setting=setting) for setting in SETTINGS),
        *(Description(time=time) for time in TIMES),
        *(Description(weather=weather) for weather in (*WEATHERS, "winter")),
    ]


def compounds() -> list[Description]:
    """Return one query for each subject in each of its colours, and at each time of day."""
    return [
        *(Description((Mention(name, c),)) for name, kind in KINDS.items() for c in kind.colours),
        *(Description((Mention(kind),), time=time) for kind in KINDS for time in TIMES),
    ]


@cache
def colour_trials() -> tuple[Trial, ...]:
    """Return "a red house" for each kind and colour of it.

    A near miss has the kind in another colour, and another kind in the colour.
    """

    def misses(mention: Mention, scene: Scene) -> bool:
        [own] = [subject for subject in scene.subjects if subject.kind == mention.thing]
        return own.colour != mention.colour and any(
            subject.colour == mention.colour for subject in scene.subjects if subject is not own
        )

    mentions = [Mention(name, colour) for name, kind in KINDS.items() for colour in kind.colours]
    return _trials(mentions, "colour", misses)


@cache
def number_trials() -> tuple[Trial, ...]:
    """Return "three birds" for each kind and number of it; a near miss has another number."""
    mentions = [
        Mention(name, count=number)
        for name, kind in KINDS.items()
        if kind.most > 1
        for number in range(1, kind.most + 1)
    ]
    return _trials(mentions, "count", lambda *_: True)


def _trials(
    mentions: list[Mention],
    attribute: str,
    misses: Callable[[Mention, Scene], bool],
) -> tuple[Trial, ...]:
    by_kind: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions:
        by_kind[mention.thing].append(mention)
    found: dict[Mention, tuple[list[Scene], list[Scene]]] = {m: ([], []) for m in mentions}
    open_ = set(mentions)
    for scene in _held_out():
        for subject in scene.subjects:
            for mention in by_kind[subject.kind]:
                hits, near = found[mention]
                if getattr(mention, attribute) == getattr(subject, attribute):
                    if len(hits) < RELEVANT:
                        hits.append(scene)
                elif len(near) < DISTRACTING and misses(mention, scene):
                    near.append(scene)
                if len(hits) == RELEVANT and len(near) == DISTRACTING:
                    open_.discard(mention)
        if not open_:
            break
    return tuple(
        Trial(Description((mention,)), (*hits, *near)) for mention, (hits, near) in found.items()
    )


def _held_out() -> Iterator[Scene]:
    return (scene for scene in map(compose, count(FIRST)) if scene.is_held_out)
