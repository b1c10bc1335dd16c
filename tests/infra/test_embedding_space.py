"""Relevance margins, compared with a naive implementation in plain Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.images import uuid7
from infra.clip import embedding_space
from infra.clip.embedding_space import (
    BACKGROUND_GROWTH,
    SAMPLE_SIZE,
    SOFTMAX_SHARPNESS,
    SYNONYM_COSINE,
    TextMarginScorer,
)
from tests.infra.synthetic_embeddings import (
    BANK,
    DIMENSIONS,
    EXAMPLES,
    IMAGE,
    LOGIT_SCALE,
    PICTURES,
    TEXT,
    TEXTS,
    CountingLibrary,
    dot,
    part,
    random_embeddings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def library() -> CountingLibrary:
    return CountingLibrary()


def minus(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(one, other, strict=True)]


def mean(points: Sequence[Sequence[float]], *, more: int = 0) -> list[float]:
    return [math.fsum(column) / (len(points) + more) for column in zip(*points, strict=True)]


def naive_text_margin(
    text: Sequence[float], picture: Sequence[float], bank: list[list[float]]
) -> float:
    """A text's logit, less the soft maximum of the logits of all concepts but its synonyms."""
    centre = mean(bank)
    others = []
    for concept in bank:
        one, other = minus(concept, centre), minus(text, centre)
        if dot(one, other) / (math.hypot(*one) * math.hypot(*other)) < SYNONYM_COSINE:
            others.append(concept)
    logits = [SOFTMAX_SHARPNESS * LOGIT_SCALE * dot(picture, concept) for concept in others]
    soft = math.log(math.fsum(math.exp(logit - max(logits)) for logit in logits)) + max(logits)
    return (
        LOGIT_SCALE * dot(picture, text)
        - soft / SOFTMAX_SHARPNESS
        + BACKGROUND_GROWTH * math.log(len(others))
    )


def naive_image_margin(
    example: Sequence[float], picture: Sequence[float], library: list[list[float]]
) -> float:
    centre = mean(library, more=1)
    return LOGIT_SCALE * dot(minus(picture, centre), minus(example, centre))


async def test_margins_equal_those_of_a_naive_loop(library: CountingLibrary) -> None:
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
            naive_text_margin(each.embedding, picture, bank)
            if each.kind is TEXT
            else naive_image_margin(each.embedding, picture, pictures)
            for each in parts
        ]
        assert pytest.approx(expected, abs=2e-3) == margins[id_]


async def test_margins_are_returned_for_requested_images_that_exist(
    library: CountingLibrary,
) -> None:
    ids = await library.add(PICTURES[:5])
    await library.catalog.delete(ids[:1])
    margins = await library.space.margins([part(TEXTS[0], TEXT)], [ids[3], ids[0], uuid7(), ids[1]])
    assert {ids[3], ids[1]} == set(margins)
    assert {} == await library.space.margins([part(TEXTS[0], TEXT)], [uuid7()])
    assert {} == await library.space.margins([part(TEXTS[0], TEXT)], [])


async def test_texts_read_only_the_bank_and_examples_only_a_sample(
    library: CountingLibrary,
) -> None:
    ids = await library.add(PICTURES)
    await library.space.margins([part(TEXTS[0], TEXT), part(TEXTS[1], TEXT)], ids)
    assert (1, []) == (library.bank_reads, library.catalog.sample_sizes)
    await library.space.margins([part(EXAMPLES[0], IMAGE)] * 2, ids)
    assert (1, [SAMPLE_SIZE]) == (library.bank_reads, library.catalog.sample_sizes)


def test_a_synonym_is_left_out_of_the_background() -> None:
    text = TEXTS[0]
    plain = TextMarginScorer(PICTURES, BANK, logit_scale=LOGIT_SCALE)(text)
    for nudge in (0.0, 0.02):
        synonym = text + nudge * random_embeddings(1, seed=9)[0]
        synonym /= np.linalg.norm(synonym)
        bank = np.concatenate([BANK, synonym[None]])
        margins = TextMarginScorer(PICTURES, bank, logit_scale=LOGIT_SCALE)(text)
        # The added concept moves the mean, which can change the other synonyms slightly.
        assert pytest.approx(plain, abs=0.5) == margins
        other = TextMarginScorer(synonym[None], bank, logit_scale=LOGIT_SCALE)(TEXTS[1])
        assert other < TextMarginScorer(synonym[None], BANK, logit_scale=LOGIT_SCALE)(TEXTS[1])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_background_is_weighted_by_the_calibration(share: float) -> None:
    text = TEXTS[0]
    without = LOGIT_SCALE * (PICTURES @ text)
    whole = TextMarginScorer(PICTURES, BANK, logit_scale=LOGIT_SCALE)(text)
    partial = TextMarginScorer(PICTURES, BANK, logit_scale=LOGIT_SCALE, background=share)(text)
    assert pytest.approx(without + share * (whole - without), abs=1e-3) == partial


def test_the_order_of_concepts_makes_no_difference() -> None:
    shuffled = np.random.default_rng(5).permutation(BANK)
    for text in TEXTS:
        assert pytest.approx(
            TextMarginScorer(PICTURES, BANK, logit_scale=LOGIT_SCALE)(text), abs=1e-3
        ) == TextMarginScorer(PICTURES, shuffled, logit_scale=LOGIT_SCALE)(text)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_margins_are_finite_when_all_concepts_are_near_synonyms(size: int) -> None:
    bank = np.concatenate([TEXTS[:1]] * size) + 1e-4 * random_embeddings(size, seed=size)
    for text in (*TEXTS, *bank):
        assert np.isfinite(TextMarginScorer(PICTURES, bank, logit_scale=LOGIT_SCALE)(text)).all()


async def test_an_empty_library_has_blends_but_no_margins(library: CountingLibrary) -> None:
    parts = [part(TEXTS[0], TEXT), part(EXAMPLES[0], IMAGE), part(EXAMPLES[1], IMAGE, -1.0)]
    assert {} == await library.space.margins(parts, [uuid7()])
    assert pytest.approx(1) == math.hypot(*await library.space.blend(parts))


async def test_the_only_picture_of_a_library_is_like_itself_and_unlike_others(
    library: CountingLibrary,
) -> None:
    [only] = await library.add(PICTURES[:1])
    opposite = PICTURES[0] * np.array([-1, 1] + [-1] * (DIMENSIONS - 2), np.float32)
    likes = [part(PICTURES[0], IMAGE), part(opposite, IMAGE)]
    itself, other = (await library.space.margins(likes, [only]))[only]
    assert pytest.approx(LOGIT_SCALE / 4, abs=1e-3) == itself
    assert other < itself / 2
    for each in likes:
        assert pytest.approx(1) == dot(each.embedding, await library.space.blend([each]))


async def test_a_sample_is_reused_until_it_expires(
    library: CountingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = [part(EXAMPLES[0], IMAGE)]
    ids = await library.add(PICTURES[:20])
    before = await library.space.margins(example, ids)
    await library.add(PICTURES[20:])
    assert before == await library.space.margins(example, ids)
    assert 1 == len(library.catalog.sample_sizes)

    monkeypatch.setattr(embedding_space, "SAMPLE_TTL_SECONDS", -1)
    renewed = CountingLibrary()
    ids = await renewed.add(PICTURES[:20])
    assert before == dict(
        zip(before, (await renewed.space.margins(example, ids)).values(), strict=True)
    )
    await renewed.add(PICTURES[20:])
    after = await renewed.space.margins(example, ids)
    expected = naive_image_margin(
        example[0].embedding, PICTURES[0].tolist(), list(map(list, PICTURES.tolist()))
    )
    assert pytest.approx([expected], abs=1e-3) == after[ids[0]]
    assert 2 == len(renewed.catalog.sample_sizes)


async def test_an_empty_sample_is_not_reused(library: CountingLibrary) -> None:
    example = [part(EXAMPLES[0], IMAGE)]
    await library.space.blend(example)
    await library.add(PICTURES)
    await library.space.blend(example)
    await library.space.blend(example)
    assert 2 == len(library.catalog.sample_sizes)
