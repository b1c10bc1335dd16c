"""Blends: one point for many parts, and nothing left of what it is unlike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.entities.embeddings import QueryPart
from infra.clip.embedding_space import blended
from tests.infra.clouds import (
    BANK,
    DIMENSIONS,
    EXAMPLES,
    IMAGE,
    PICTURES,
    TEXT,
    TEXTS,
    Library,
    dot,
    part,
)


@pytest.fixture
def library() -> Library:
    return Library()


async def test_a_blend_of_one_is_that_one_whatever_its_weight(library: Library) -> None:
    await library.add(PICTURES)
    for embedding, kind in ((TEXTS[0], TEXT), (EXAMPLES[0], IMAGE)):
        for weight in (0.01, 1.0, 100.0):
            point = await library.space.blend([part(embedding, kind, weight)])
            assert pytest.approx(1, abs=1e-6) == dot(embedding.tolist(), point)


CENTRES = {TEXT: BANK.mean(axis=0), IMAGE: PICTURES.mean(axis=0)}


def left_of(query: list[QueryPart], without: list[QueryPart]) -> list[float]:
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


def along(query: QueryPart, away: QueryPart) -> float:
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
def test_of_what_is_unlike_nothing_is_left(like: list[QueryPart], unlike: list[QueryPart]) -> None:
    without = [QueryPart(each.embedding, each.kind, -1.0) for each in unlike]
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
