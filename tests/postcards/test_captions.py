"""Captions: true of their scene, in many wordings, some of which are held out of training."""

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
    describe_a_subject,
    describe_fully,
    describe_partly,
    random_concept,
)
from postcards.facts import FACTS, facts_of, truths, vector
from postcards.grammar import HELD_OUT_GRAMMAR, HELD_OUT_OPENINGS, PLAIN_GRAMMAR, TRAINING_GRAMMAR
from postcards.lexicon import HELD_OUT_LEXICON, TRAINING_LEXICON
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
def test_descriptions_of_a_scene_are_true(seed: int, seed_of_caption: int) -> None:
    scene, random = compose(seed), Random(seed_of_caption)
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
def test_full_descriptions_distinguish_scenes(seed: int) -> None:
    scene, other = compose(seed), compose(seed + 1)
    if describe_fully(scene) != describe_fully(other):
        assert not describe_fully(scene).claims <= facts_of(other)


@given(seeds, seeds)
def test_a_near_miss_differs_in_two_subjects_at_most(seed: int, seed_of_caption: int) -> None:
    scene = compose(seed)
    altered = alter(scene, Random(seed_of_caption))
    assert (scene.setting, scene.time, scene.weather) == (
        altered.setting,
        altered.time,
        altered.weather,
    )
    changed = [a for a, b in zip(scene.subjects, altered.subjects, strict=True) if a != b]
    assert len(changed) <= 2


def test_most_near_misses_are_false() -> None:
    random = Random(0)
    scenes = [compose(seed) for seed in range(500)]
    altered = [alter(scene, random) for scene in scenes]
    assert sum(one != other for one, other in zip(scenes, altered, strict=True)) > 300
    still_true = [
        describe_fully(b).claims <= facts_of(a) for a, b in zip(scenes, altered, strict=True)
    ]
    assert sum(still_true) < 200


def test_a_scene_has_exactly_its_facts() -> None:
    assert {
        *("harbour", "water", "sunset", "clear weather"),
        *("house", "building"),
        *("ship", "boat", "red ship", "red boat", "2 ship", "ship left", "something red"),
        *("bird", "animal", "white bird", "white animal", "1 bird", "small bird", "bird right"),
        "something white",
    } == facts_of(SCENE)


def test_a_description_is_true_if_all_of_its_claims_hold() -> None:
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
def test_captions_have_the_content_of_the_description(
    description: Description, parts: list[str]
) -> None:
    random = Random(0)
    captions = [PLAIN_GRAMMAR.caption(description, random) for _ in range(200)]
    for part in parts:
        assert any(part in caption.split() for caption in captions)
    assert len(set(captions)) > 1
    assert all(caption == " ".join(caption.split()) for caption in captions)


def test_captions_vary_and_have_known_words_only() -> None:
    random = Random(0)
    words = {*caption_words(), *"123", ","}
    captions = [PLAIN_GRAMMAR.caption(random_concept(random), random) for _ in range(2_000)]
    assert len(set(captions)) > 1_200
    assert (
        set()
        == {
            word
            for caption in captions
            for word in caption.replace(",", " ,").replace("-", " ").split()
        }
        - words
    )


def test_held_out_words_never_occur_in_training_captions() -> None:
    held_out = {*_forms(HELD_OUT_LEXICON.things.values()), *_nouns()}
    known = {
        *_forms(TRAINING_LEXICON.things.values()),
        *(p.noun for s in TRAINING_LEXICON.settings.values() for p in s),
    }
    assert set() == held_out & known
    random = Random(1)
    scenes = [compose(seed) for seed in range(2_000)]
    descriptions = [
        *map(describe_fully, scenes),
        *(describe_partly(scene, random, share=0.6) for scene in scenes),
        *(describe_a_subject(scene, random) for scene in scenes),
        *(random_concept(random) for _ in range(6_000)),
    ]
    text = " | ".join(TRAINING_GRAMMAR.caption(each, random) for each in descriptions)
    assert [] == [form for form in (*HELD_OUT_OPENINGS, *held_out) if f" {form} " in text]
    for description in vocabulary():
        assert HELD_OUT_GRAMMAR.caption(description, random).startswith(HELD_OUT_OPENINGS)


def _nouns() -> set[str]:
    return {place.noun for places in HELD_OUT_LEXICON.settings.values() for place in places}


def _forms(nouns: Iterable[tuple[tuple[str, str], ...]]) -> set[str]:
    return {form for names in nouns for name in names for form in name}
