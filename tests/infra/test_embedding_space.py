"""Arithmetic over many embeddings, beside the same done slowly and plainly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.images import uuid7
from infra.clip import embedding_space as numpy_space
from infra.clip.embedding_space import GROWTH, SAME, SAMPLE, SHARPNESS, TextJudge
from tests.infra.clouds import (
    BANK,
    DIMENSIONS,
    EXAMPLES,
    IMAGE,
    PICTURES,
    SCALE,
    TEXT,
    TEXTS,
    Library,
    cloud,
    dot,
    part,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def library() -> Library:
    return Library()


def less(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(one, other, strict=True)]


def mean(points: Sequence[Sequence[float]], *, more: int = 0) -> list[float]:
    return [math.fsum(column) / (len(points) + more) for column in zip(*points, strict=True)]


def slow_text_margin(
    text: Sequence[float], picture: Sequence[float], bank: list[list[float]]
) -> float:
    """A text's logit, less the soft maximum of the logits of all concepts that mean another."""
    centre = mean(bank)
    others = []
    for concept in bank:
        one, other = less(concept, centre), less(text, centre)
        if dot(one, other) / (math.hypot(*one) * math.hypot(*other)) < SAME:
            others.append(concept)
    logits = [SHARPNESS * SCALE * dot(picture, concept) for concept in others]
    soft = math.log(math.fsum(math.exp(logit - max(logits)) for logit in logits)) + max(logits)
    return SCALE * dot(picture, text) - soft / SHARPNESS + GROWTH * math.log(len(others))


def slow_picture_margin(
    example: Sequence[float], picture: Sequence[float], library: list[list[float]]
) -> float:
    centre = mean(library, more=1)
    return SCALE * dot(less(picture, centre), less(example, centre))


async def test_margins_are_those_that_a_plain_loop_gives(library: Library) -> None:
    ids = await library.add(PICTURES)
    parts = [
        part(TEXTS[0], TEXT),
        part(EXAMPLES[0], IMAGE, 0.5),
        part(BANK[3], TEXT, -1.0),
        part(PICTURES[7], IMAGE, -2.0),
    ]
    bank, pictures = BANK.tolist(), PICTURES.tolist()
    margins = await library.space.margins(parts, ids)
    assert ids == list(margins)
    for id_, picture in zip(ids, pictures, strict=True):
        expected = [
            slow_text_margin(each.embedding, picture, bank)
            if each.kind is TEXT
            else slow_picture_margin(each.embedding, picture, pictures)
            for each in parts
        ]
        assert pytest.approx(expected, abs=2e-3) == margins[id_]


async def test_only_what_is_asked_for_and_here_has_margins(library: Library) -> None:
    ids = await library.add(PICTURES[:5])
    await library.catalog.delete(ids[:1])
    margins = await library.space.margins([part(TEXTS[0], TEXT)], [ids[3], ids[0], uuid7(), ids[1]])
    assert {ids[3], ids[1]} == set(margins)
    assert {} == await library.space.margins([part(TEXTS[0], TEXT)], [uuid7()])
    assert {} == await library.space.margins([part(TEXTS[0], TEXT)], [])


async def test_only_what_is_needed_is_fetched(library: Library) -> None:
    ids = await library.add(PICTURES)
    await library.space.margins([part(TEXTS[0], TEXT), part(TEXTS[1], TEXT)], ids)
    assert (1, []) == (library.fetched, library.catalog.sampled)
    await library.space.margins([part(EXAMPLES[0], IMAGE)] * 2, ids)
    assert (1, [SAMPLE]) == (library.fetched, library.catalog.sampled)


def test_a_concept_that_means_the_same_does_not_compete() -> None:
    text = TEXTS[0]
    plain = TextJudge(PICTURES, BANK, scale=SCALE)(text)
    for nudge in (0.0, 0.02):
        synonym = text + nudge * cloud(1, seed=9)[0]
        synonym /= np.linalg.norm(synonym)
        bank = np.concatenate([BANK, synonym[None]])
        margins = TextJudge(PICTURES, bank, scale=SCALE)(text)
        # One more moves the mean, and with it, at most, what else means the same.
        assert pytest.approx(plain, abs=0.5) == margins
        other = TextJudge(synonym[None], bank, scale=SCALE)(TEXTS[1])
        assert other < TextJudge(synonym[None], BANK, scale=SCALE)(TEXTS[1])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_concepts_count_as_much_as_the_calibration_says(share: float) -> None:
    text = TEXTS[0]
    none = SCALE * (PICTURES @ text)
    all_ = TextJudge(PICTURES, BANK, scale=SCALE)(text)
    some = TextJudge(PICTURES, BANK, scale=SCALE, background=share)(text)
    assert pytest.approx(none + share * (all_ - none), abs=1e-3) == some


def test_the_order_of_concepts_makes_no_difference() -> None:
    mixed = np.random.default_rng(5).permutation(BANK)
    for text in TEXTS:
        assert pytest.approx(TextJudge(PICTURES, BANK, scale=SCALE)(text), abs=1e-3) == TextJudge(
            PICTURES, mixed, scale=SCALE
        )(text)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_some_concept_always_competes(size: int) -> None:
    bank = np.concatenate([TEXTS[:1]] * size) + 1e-4 * cloud(size, seed=size)
    for text in (*TEXTS, *bank):
        assert np.isfinite(TextJudge(PICTURES, bank, scale=SCALE)(text)).all()


async def test_an_empty_library_has_blends_and_no_margins(library: Library) -> None:
    parts = [part(TEXTS[0], TEXT), part(EXAMPLES[0], IMAGE), part(EXAMPLES[1], IMAGE, -1.0)]
    assert {} == await library.space.margins(parts, [uuid7()])
    assert pytest.approx(1) == math.hypot(*await library.space.blend(parts))


async def test_a_picture_that_is_alone_is_like_itself_and_unlike_others(library: Library) -> None:
    [alone] = await library.add(PICTURES[:1])
    opposite = PICTURES[0] * np.array([-1, 1] + [-1] * (DIMENSIONS - 2), np.float32)
    likes = [part(PICTURES[0], IMAGE), part(opposite, IMAGE)]
    itself, other = (await library.space.margins(likes, [alone]))[alone]
    assert pytest.approx(SCALE / 4, abs=1e-3) == itself
    assert other < itself / 2
    for each in likes:
        assert pytest.approx(1) == dot(each.embedding, await library.space.blend([each]))


async def test_a_sample_stands_for_the_library_for_a_while(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = [part(EXAMPLES[0], IMAGE)]
    ids = await library.add(PICTURES[:20])
    before = await library.space.margins(example, ids)
    await library.add(PICTURES[20:])
    assert before == await library.space.margins(example, ids)
    assert 1 == len(library.catalog.sampled)

    monkeypatch.setattr(numpy_space, "SAMPLE_SECONDS", -1)
    renewed = Library()
    ids = await renewed.add(PICTURES[:20])
    assert before == dict(
        zip(before, (await renewed.space.margins(example, ids)).values(), strict=True)
    )
    await renewed.add(PICTURES[20:])
    after = await renewed.space.margins(example, ids)
    expected = slow_picture_margin(
        example[0].embedding, PICTURES[0].tolist(), list(map(list, PICTURES.tolist()))
    )
    assert pytest.approx([expected], abs=1e-3) == after[ids[0]]
    assert 2 == len(renewed.catalog.sampled)


async def test_an_empty_library_is_looked_at_again(library: Library) -> None:
    example = [part(EXAMPLES[0], IMAGE)]
    await library.space.blend(example)
    await library.add(PICTURES)
    await library.space.blend(example)
    await library.space.blend(example)
    assert 2 == len(library.catalog.sampled)
