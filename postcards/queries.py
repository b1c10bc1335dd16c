"""Evaluation queries, and the held-out scenes that they search."""

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

FIRST_EVALUATION_SEED = 10_000_000
"""The first seed of evaluation scenes, far above the seeds of training scenes."""

RELEVANT_PER_TRIAL = 12
NEAR_MISSES_PER_TRIAL = 36


@dataclass(frozen=True, slots=True)
class Trial:
    """A query with one mention, scenes where it is true, and three times as many near misses."""

    description: Description
    scenes: tuple[Scene, ...]


def held_out_scenes(number: int) -> list[Scene]:
    """Return the first ``number`` evaluation scenes. Each has a combination that is held out."""
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
    """Return a trial such as "a red house" for each kind and each of its colours.

    A near miss has the kind in another colour, and another kind in this colour.
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
    """Return a trial such as "three birds" for each kind and each possible number.

    A near miss has another number.
    """
    mentions = [
        Mention(name, count=number)
        for name, kind in KINDS.items()
        if kind.max_count > 1
        for number in range(1, kind.max_count + 1)
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
    incomplete = set(mentions)
    for scene in _held_out():
        for subject in scene.subjects:
            for mention in by_kind[subject.kind]:
                hits, near = found[mention]
                if getattr(mention, attribute) == getattr(subject, attribute):
                    if len(hits) < RELEVANT_PER_TRIAL:
                        hits.append(scene)
                elif len(near) < NEAR_MISSES_PER_TRIAL and misses(mention, scene):
                    near.append(scene)
                if len(hits) == RELEVANT_PER_TRIAL and len(near) == NEAR_MISSES_PER_TRIAL:
                    incomplete.discard(mention)
        if not incomplete:
            break
    return tuple(
        Trial(Description((mention,)), (*hits, *near)) for mention, (hits, near) in found.items()
    )


def _held_out() -> Iterator[Scene]:
    return (scene for scene in map(compose, count(FIRST_EVALUATION_SEED)) if scene.is_held_out)
