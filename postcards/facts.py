"""The facts that hold in a scene. They decide whether a caption is true of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from postcards.scenes import COLOURS, KINDS, PLACES, SETTINGS, SUBJECT_SIZES, TIMES, WEATHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from postcards.scenes import Scene, Subject

CLASSES = {
    "boat": ("sailboat", "ship"),
    "animal": ("bird", "whale", "duck", "horse", "cow", "sheep"),
    "building": ("house", "lighthouse", "windmill", "castle"),
}
"""Words for several kinds, with these kinds."""

WATERS = ("sea", "beach", "harbour", "lake")
SUBJECT_COUNTS = (1, 2, 3)


def _name_all() -> tuple[str, ...]:
    names = [*SETTINGS, *TIMES, *(f"{weather} weather" for weather in WEATHERS), "winter", "water"]
    for thing in (*KINDS, *CLASSES):
        names += [thing, *(f"{colour} {thing}" for colour in COLOURS)]
    for kind in KINDS:
        names += [f"{count} {kind}" for count in SUBJECT_COUNTS]
        names += [f"{size} {kind}" for size in SUBJECT_SIZES]
        names += [f"{kind} {place}" for place in PLACES]
    return (*names, *(f"something {colour}" for colour in COLOURS))


FACTS = _name_all()
"""The names of all facts, in the order of fact vectors."""

_KIND_INDEXES = {name: place for place, name in enumerate(KINDS)}
_FACT_INDEXES = {name: place for place, name in enumerate(FACTS)}


def facts_of(scene: Scene) -> set[str]:
    """Return the names of all facts that hold in a scene."""
    facts = {scene.setting, scene.time, f"{scene.weather} weather"}
    if scene.setting == "snowfield" or scene.weather == "snow":
        facts.add("winter")
    if scene.setting in WATERS:
        facts.add("water")
    for kind in SETTINGS[scene.setting].shows:
        facts |= {kind, *_classes(kind)}
    for subject in scene.subjects:
        facts |= _facts_of_subject(subject)
    return facts


def _facts_of_subject(subject: Subject) -> set[str]:
    things = [subject.kind, *_classes(subject.kind)]
    facts = {*things, f"{subject.count} {subject.kind}", f"{subject.kind} {subject.place}"}
    if subject.size:
        facts.add(f"{subject.size} {subject.kind}")
    if subject.colour:
        facts |= {f"{subject.colour} {thing}" for thing in things}
        facts.add(f"something {subject.colour}")
    return facts


def _classes(kind: str) -> list[str]:
    return [name for name, kinds in CLASSES.items() if kind in kinds]


def fact_weights() -> NDArray[np.float32]:
    """Return the weight of each fact in the training loss.

    Colours and numbers of kinds weigh twice: queries have them more often than size and place, and
    they are the hardest to see. Size and place weigh half.
    """
    weight = np.ones(len(FACTS), np.float32)
    for place, fact in enumerate(FACTS):
        first, _, last = fact.partition(" ")
        if last in KINDS:
            weight[place] = 0.5 if first in SUBJECT_SIZES else 2
        elif last in PLACES:
            weight[place] = 0.5
    return weight


def neighbours(scenes: Sequence[Scene]) -> NDArray[np.bool_]:
    """Return which scenes are neighbours: (scenes, scenes), True on the diagonal.

    Neighbours share two kinds of subject, or setting and time.
    """
    kinds = np.zeros((len(scenes), len(KINDS)), np.float32)
    for row, scene in enumerate(scenes):
        kinds[row, [_KIND_INDEXES[subject.kind] for subject in scene.subjects]] = 1
    hours = np.array([f"{scene.setting} {scene.time}" for scene in scenes])
    are_neighbours: NDArray[np.bool_] = (kinds @ kinds.T > 1) | (hours[:, None] == hours)
    return are_neighbours


def vector(facts: Iterable[str]) -> NDArray[np.float32]:
    """Return facts as a vector of zeros and ones, in the order of ``FACTS``."""
    ones = np.zeros(len(FACTS), np.float32)
    ones[[_FACT_INDEXES[fact] for fact in facts]] = 1
    return ones


def truths(claims: NDArray[np.float32], facts: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which captions are true of which scenes: (captions, scenes).

    ``claims`` is (captions, facts), ``facts`` is (scenes, facts).
    """
    holds: NDArray[np.bool_] = claims @ facts.T == claims.sum(axis=1, keepdims=True)
    return holds
