"""Arithmetic over many embeddings, beside the same done slowly and plainly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.embeddings import Part, QueryKind
from domain.images import uuid7
from infra import numpy_space
from infra.numpy_space import GROWTH, SAME, SAMPLE, SHARPNESS, NumpySpace, TextJudge, blended
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.embeddings import Embedding
    from infra.numpy_space import Array

TEXT, IMAGE = QueryKind.TEXT, QueryKind.IMAGE
SCALE, DIMENSIONS = 100.0, 24


def cloud(number: int, *, seed: int, away: float = 2.0, axis: int = 0) -> Array:
    """Return points of length 1 that have an axis in common, as texts have, and pictures another.

    (number, dimensions).
    """
    points = np.random.default_rng(seed).normal(size=(number, DIMENSIONS)) / 2
    points[:, axis] += away
    return np.array(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


BANK, PICTURES = cloud(60, seed=1), cloud(40, seed=2, axis=1)
TEXTS, EXAMPLES = cloud(12, seed=3), cloud(12, seed=4, axis=1)


def part(embedding: Array, kind: QueryKind, weight: float = 1.0) -> Part:
    return Part(embedding.tolist(), kind, weight)


class SampledCatalog(MemoryCatalog):
    """Counts how often it was asked for a sample, and of what size."""

    def __init__(self) -> None:
        super().__init__()
        self.sampled: list[int] = []

    async def sample(self, size: int) -> Sequence[Embedding]:
        self.sampled.append(size)
        return await super().sample(size)


class Library:
    """A space over pictures and a bank that is counted."""

    def __init__(self, bank: Array = BANK) -> None:
        self.bank = bank
        self.fetched = 0
        self.catalog = SampledCatalog()
        self.space = NumpySpace(self.catalog, self.fetch, logit_scale=SCALE)

    async def fetch(self) -> Array:
        self.fetched += 1
        return self.bank

    async def add(self, pictures: Array) -> list[UUID]:
        images = [await self.catalog.add(image_with(), each.tolist()) for each in pictures]
        return [image.id for image in images]


@pytest.fixture
def library() -> Library:
    return Library()


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(one, other, strict=True))


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


async def test_a_blend_of_one_is_that_one_whatever_its_weight(library: Library) -> None:
    await library.add(PICTURES)
    for embedding, kind in ((TEXTS[0], TEXT), (EXAMPLES[0], IMAGE)):
        for weight in (0.01, 1.0, 100.0):
            point = await library.space.blend([part(embedding, kind, weight)])
            assert pytest.approx(1, abs=1e-6) == dot(embedding.tolist(), point)


CENTRES = {TEXT: BANK.mean(axis=0), IMAGE: PICTURES.mean(axis=0)}


def left_of(query: list[Part], without: list[Part]) -> list[float]:
    """Return how much of each direction that is not wanted a blend has, per length about its mean.

    The blend has length 1; its length before that is what parts it from the directions.
    """
    spreads = [float((PICTURES @ np.array(each.embedding)).std()) for each in query]
    shares = [each.weight / spread for each, spread in zip(query, spreads, strict=True)]
    whole = np.sum([s * np.array(p.embedding) for s, p in zip(shares, query, strict=True)], axis=0)
    centre = np.sum([s * CENTRES[p.kind] for s, p in zip(shares, query, strict=True)], axis=0)
    directions = np.array([np.array(each.embedding) - CENTRES[each.kind] for each in without])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    point = np.array(blended([*query, *without], CENTRES, PICTURES), float)
    # Nothing but the directions was taken away: beside them, only the length is another.
    rest = np.eye(DIMENSIONS) - np.linalg.pinv(directions) @ directions
    length = (rest @ whole) @ (rest @ point) / ((rest @ point) @ (rest @ point))
    assert np.allclose(rest @ whole, length * (rest @ point), atol=1e-3 * length)
    left: list[float] = (directions @ (length * point - centre)).tolist()
    return [each / float(np.linalg.norm(whole - centre)) for each in left]


def along(query: Part, away: Part) -> float:
    """Return the cosine of two parts about the means of their kinds."""
    one, other = (np.array(each.embedding) - CENTRES[each.kind] for each in (query, away))
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


KINDS = st.sampled_from([(TEXT, TEXTS), (IMAGE, EXAMPLES)])
PARTS = st.builds(
    lambda kind, place, weight: part(kind[1][place], kind[0], weight),
    KINDS,
    st.integers(0, 11),
    st.floats(0.1, 10),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4), st.lists(PARTS, min_size=1, max_size=6))
def test_of_what_is_unlike_nothing_is_left(like: list[Part], unlike: list[Part]) -> None:
    without = [Part(each.embedding, each.kind, -1.0) for each in unlike]
    assert max(left_of(like, without)) < 2e-3


def test_what_is_unlike_is_taken_away_by_its_weight() -> None:
    like = part(TEXTS[0], TEXT)
    mixed = TEXTS[0] + TEXTS[1]
    mixed /= np.linalg.norm(mixed)
    before = along(like, part(mixed, TEXT))
    assert before > 0.3
    for weight in (0.25, 0.5, 1.0, 2.0):
        [left] = left_of([like], [part(mixed, TEXT, -weight)])
        assert pytest.approx(before * (1 - weight), abs=1e-3) == left


def test_one_unlike_said_several_ways_is_taken_away_once() -> None:
    like, away = part(TEXTS[0], TEXT), TEXTS[0] + TEXTS[1]
    away /= np.linalg.norm(away)
    said = [away, away, away + 0.01 * TEXTS[2], away + 0.01 * TEXTS[3]]
    without = [part(each / np.linalg.norm(each), TEXT, -1.0) for each in said]
    once = blended([like, without[0]], CENTRES, PICTURES)
    several = blended([like, *without], CENTRES, PICTURES)
    assert float(once @ several) > 0.999
    # Nor does the query turn away from what it only has nothing of.
    assert min(left_of([like], without)) > -0.02


def test_a_query_stays_as_it_is_without_what_it_has_nothing_of() -> None:
    like = part(TEXTS[0], TEXT)
    plain = blended([like], CENTRES, PICTURES)
    opposite = 2 * CENTRES[TEXT] - TEXTS[0]
    unlike = part(opposite / np.linalg.norm(opposite), TEXT, -1.0)
    unrelated = [
        part(each, TEXT, -1.0) for each in TEXTS[1:] if abs(along(like, part(each, TEXT))) < 0.1
    ]
    assert along(like, unlike) < -0.5
    assert unrelated
    assert pytest.approx(plain, abs=1e-6) == blended([like, unlike], CENTRES, PICTURES)
    for each in unrelated:
        assert float(plain @ blended([like, each], CENTRES, PICTURES)) > 0.99


def test_a_text_and_a_picture_count_alike_for_what_they_tell_apart() -> None:
    # Texts are as near to one picture as to another, next to examples.
    text, picture = TEXTS[0], EXAMPLES[0]
    spreads = [float((PICTURES @ each).std()) for each in (text, picture)]
    for weight in (1.0, 3.0):
        parts = [part(text, TEXT, weight), part(picture, IMAGE)]
        scores = PICTURES @ blended(parts, CENTRES, PICTURES)
        expected = weight * (PICTURES @ text) / spreads[0] + (PICTURES @ picture) / spreads[1]
        ratio = scores / expected
        assert pytest.approx(ratio[0], rel=1e-4) == ratio


def test_pictures_that_are_nearly_the_same_tell_no_part_from_another() -> None:
    same = np.concatenate([PICTURES[:1]] * 7)
    parts = [part(TEXTS[0], TEXT), part(EXAMPLES[0], IMAGE)]
    expected = TEXTS[0] + EXAMPLES[0]
    expected /= np.linalg.norm(expected)
    for sample in (same, same[:1], same[:0]):
        assert pytest.approx(expected, abs=1e-5) == blended(parts, CENTRES, sample)


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
