"""Captions: true of their scene to the letter, in many words, some of them kept from training."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcards.batches import mirror
from postcards.descriptions import (
    Description,
    Mention,
    alter,
    any_concept,
    describe_a_subject,
    describe_fully,
    describe_partly,
)
from postcards.facts import FACTS, facts_of, truths, vector
from postcards.grammar import PLAIN, TRAINING, UNKNOWN_OPENINGS, UNSEEN
from postcards.lexicon import KNOWN, UNKNOWN
from postcards.queries import vocabulary
from postcards.scenes import Scene, Subject, compose
from postcards.tokens import caption_words

if TYPE_CHECKING:
    from collections.abc import Iterable

seeds = st.integers(0, 100_000)
SCENE = Scene(
    seed=0,
    setting="harbour",
    time="sunset",
    weather="clear",
    subjects=(
        Subject("ship", "red", 2, None, "left"),
        Subject("bird", "white", 1, "small", "right"),
    ),
)


@given(seeds, seeds)
def test_what_is_said_of_a_scene_is_true(seed: int, luck: int) -> None:
    scene, random = compose(seed), Random(luck)
    facts = facts_of(scene)
    for description in (
        describe_fully(scene),
        describe_partly(scene, random, share=0.5),
        describe_a_subject(scene, random),
    ):
        assert description.claims
        assert description.claims <= facts
        assert facts <= set(FACTS)


@given(seeds)
def test_full_captions_tell_scenes_apart(seed: int) -> None:
    scene, other = compose(seed), compose(seed + 1)
    if describe_fully(scene) != describe_fully(other):
        assert not describe_fully(scene).claims <= facts_of(other)


@given(seeds, seeds)
def test_a_near_miss_differs_in_two_subjects_at_most(seed: int, luck: int) -> None:
    scene = compose(seed)
    altered = alter(scene, Random(luck))
    assert (scene.setting, scene.time, scene.weather) == (
        altered.setting,
        altered.time,
        altered.weather,
    )
    changed = [a for a, b in zip(scene.subjects, altered.subjects, strict=True) if a != b]
    assert len(changed) <= 2


def test_most_near_misses_miss() -> None:
    random = Random(0)
    scenes = [compose(seed) for seed in range(500)]
    altered = [alter(scene, random) for scene in scenes]
    assert sum(one != other for one, other in zip(scenes, altered, strict=True)) > 300
    truly = [describe_fully(b).claims <= facts_of(a) for a, b in zip(scenes, altered, strict=True)]
    assert sum(truly) < 200


def test_facts_are_exact() -> None:
    assert {
        *("harbour", "water", "sunset", "clear weather"),
        *("house", "building"),
        *("ship", "boat", "red ship", "red boat", "2 ship", "ship left", "something red"),
        *("bird", "animal", "white bird", "white animal", "1 bird", "small bird", "bird right"),
        "something white",
    } == facts_of(SCENE)


def test_truth_is_all_claims_together() -> None:
    descriptions = [
        Description((Mention("ship", "red"),)),
        Description((Mention("ship", "red", place="right"),)),
        Description((Mention("ship"), Mention("bird", "white")), time="sunset"),
        Description((Mention("something", "red"),), setting="water"),
        Description((Mention("ship"),), weather="winter"),
    ]
    claims = np.stack([vector(description.claims) for description in descriptions])
    scenes = np.stack([vector(facts_of(scene)) for scene in (SCENE, mirror(SCENE))])
    assert [
        [True, True],
        [False, True],
        [True, True],
        [True, True],
        [False, False],
    ] == truths(claims, scenes).tolist()


@pytest.mark.parametrize(
    ("description", "parts"),
    [
        (describe_fully(SCENE), ["red", "white", "two", "left", "right"]),
        (Description((Mention("lighthouse"),)), ["lighthouse"]),
        (Description((Mention("something", "red"),)), ["red"]),
        (Description(time="night"), ["night"]),
    ],
)
def test_captions_say_what_the_description_does(description: Description, parts: list[str]) -> None:
    random = Random(0)
    said = [PLAIN.say(description, random) for _ in range(200)]
    for part in parts:
        assert any(part in caption.split() for caption in said)
    assert len(set(said)) > 1
    assert all(caption == " ".join(caption.split()) for caption in said)


def test_captions_are_many_and_of_known_words() -> None:
    random = Random(0)
    words = {*caption_words(), *"123", ","}
    said = [PLAIN.say(any_concept(random), random) for _ in range(2_000)]
    assert len(set(said)) > 1_200
    assert (
        set()
        == {
            word
            for caption in said
            for word in caption.replace(",", " ,").replace("-", " ").split()
        }
        - words
    )


def test_what_is_kept_from_training_never_comes_up_in_it() -> None:
    kept = {*_forms(UNKNOWN.things.values()), *_nouns()}
    known = {*_forms(KNOWN.things.values()), *(p.noun for s in KNOWN.settings.values() for p in s)}
    assert set() == kept & known
    random = Random(1)
    scenes = [compose(seed) for seed in range(2_000)]
    descriptions = [
        *map(describe_fully, scenes),
        *(describe_partly(scene, random, share=0.6) for scene in scenes),
        *(describe_a_subject(scene, random) for scene in scenes),
        *(any_concept(random) for _ in range(6_000)),
    ]
    said = " | ".join(TRAINING.say(each, random) for each in descriptions)
    assert [] == [form for form in (*UNKNOWN_OPENINGS, *kept) if f" {form} " in said]
    for description in vocabulary():
        assert UNSEEN.say(description, random).startswith(UNKNOWN_OPENINGS)


def _nouns() -> set[str]:
    return {place.noun for places in UNKNOWN.settings.values() for place in places}


def _forms(nouns: Iterable[tuple[tuple[str, str], ...]]) -> set[str]:
    return {form for names in nouns for name in names for form in name}
