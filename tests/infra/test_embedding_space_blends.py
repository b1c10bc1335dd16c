"""Blends of queries: wanted parts are added, unwanted ones are projected out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.entities.embeddings import QueryPart
from infra.clip.embedding_space import blend_embeddings
from tests.infra.synthetic_embeddings import (
    BANK,
    DIMENSIONS,
    EXAMPLES,
    IMAGE,
    PICTURES,
    TEXT,
    TEXTS,
    CountingLibrary,
    dot,
    part,
)


@pytest.fixture
def library() -> CountingLibrary:
    return CountingLibrary()


async def test_a_blend_of_one_part_is_that_part_at_any_weight(library: CountingLibrary) -> None:
    await library.add(PICTURES)
    for embedding, kind in ((TEXTS[0], TEXT), (EXAMPLES[0], IMAGE)):
        for weight in (0.01, 1.0, 100.0):
            point = await library.space.blend([part(embedding, kind, weight)])
            assert pytest.approx(1, abs=1e-6) == dot(embedding.tolist(), point)


MEANS = {TEXT: BANK.mean(axis=0), IMAGE: PICTURES.mean(axis=0)}


def remaining_components(query: list[QueryPart], without: list[QueryPart]) -> list[float]:
    """Return the components of a blend along the unwanted directions.

    They are relative to the length of the wanted sum about its mean. The blend is normalized; its
    length before that follows from what is orthogonal to the directions, which nothing changes.
    """
    spreads = [float((PICTURES @ np.array(each.embedding)).std()) for each in query]
    shares = [each.weight / spread for each, spread in zip(query, spreads, strict=True)]
    whole = np.sum([s * np.array(p.embedding) for s, p in zip(shares, query, strict=True)], axis=0)
    centre = np.sum([s * MEANS[p.kind] for s, p in zip(shares, query, strict=True)], axis=0)
    directions = np.array([np.array(each.embedding) - MEANS[each.kind] for each in without])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    point = np.array(blend_embeddings([*query, *without], MEANS, PICTURES), float)
    # Only components along the directions were removed: the rest differs by a factor alone.
    rest = np.eye(DIMENSIONS) - np.linalg.pinv(directions) @ directions
    length = (rest @ whole) @ (rest @ point) / ((rest @ point) @ (rest @ point))
    assert np.allclose(rest @ whole, length * (rest @ point), atol=1e-3 * length)
    left: list[float] = (directions @ (length * point - centre)).tolist()
    return [each / float(np.linalg.norm(whole - centre)) for each in left]


def cosine_about_means(query: QueryPart, away: QueryPart) -> float:
    """Return the cosine of two parts, each about the mean of its kind."""
    one, other = (np.array(each.embedding) - MEANS[each.kind] for each in (query, away))
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
def test_no_component_along_an_unwanted_part_remains(
    like: list[QueryPart], unlike: list[QueryPart]
) -> None:
    without = [QueryPart(each.embedding, each.kind, -1.0) for each in unlike]
    assert max(remaining_components(like, without)) < 2e-3


def test_an_unwanted_part_is_removed_by_its_weight() -> None:
    like = part(TEXTS[0], TEXT)
    mixed = TEXTS[0] + TEXTS[1]
    mixed /= np.linalg.norm(mixed)
    before = cosine_about_means(like, part(mixed, TEXT))
    assert before > 0.3
    for weight in (0.25, 0.5, 1.0, 2.0):
        [left] = remaining_components([like], [part(mixed, TEXT, -weight)])
        assert pytest.approx(before * (1 - weight), abs=1e-3) == left


def test_unwanted_parts_that_are_nearly_equal_are_removed_once() -> None:
    like, away = part(TEXTS[0], TEXT), TEXTS[0] + TEXTS[1]
    away /= np.linalg.norm(away)
    variants = [away, away, away + 0.01 * TEXTS[2], away + 0.01 * TEXTS[3]]
    without = [part(each / np.linalg.norm(each), TEXT, -1.0) for each in variants]
    once = blend_embeddings([like, without[0]], MEANS, PICTURES)
    several = blend_embeddings([like, *without], MEANS, PICTURES)
    assert float(once @ several) > 0.999
    # Nor does the blend get negative components.
    assert min(remaining_components([like], without)) > -0.02


def test_an_unrelated_or_opposite_unwanted_part_changes_nothing() -> None:
    like = part(TEXTS[0], TEXT)
    plain = blend_embeddings([like], MEANS, PICTURES)
    opposite = 2 * MEANS[TEXT] - TEXTS[0]
    unlike = part(opposite / np.linalg.norm(opposite), TEXT, -1.0)
    unrelated = [
        part(each, TEXT, -1.0)
        for each in TEXTS[1:]
        if abs(cosine_about_means(like, part(each, TEXT))) < 0.1
    ]
    assert cosine_about_means(like, unlike) < -0.5
    assert unrelated
    assert pytest.approx(plain, abs=1e-6) == blend_embeddings([like, unlike], MEANS, PICTURES)
    for each in unrelated:
        assert float(plain @ blend_embeddings([like, each], MEANS, PICTURES)) > 0.99


def test_parts_are_weighted_by_the_standard_deviation_of_their_scores() -> None:
    # The cosines of texts with pictures vary less than those of examples.
    text, picture = TEXTS[0], EXAMPLES[0]
    spreads = [float((PICTURES @ each).std()) for each in (text, picture)]
    for weight in (1.0, 3.0):
        parts = [part(text, TEXT, weight), part(picture, IMAGE)]
        scores = PICTURES @ blend_embeddings(parts, MEANS, PICTURES)
        expected = weight * (PICTURES @ text) / spreads[0] + (PICTURES @ picture) / spreads[1]
        ratio = scores / expected
        assert pytest.approx(ratio[0], rel=1e-4) == ratio


def test_parts_count_alike_over_a_sample_without_variance() -> None:
    same = np.concatenate([PICTURES[:1]] * 7)
    parts = [part(TEXTS[0], TEXT), part(EXAMPLES[0], IMAGE)]
    expected = TEXTS[0] + EXAMPLES[0]
    expected /= np.linalg.norm(expected)
    for sample in (same, same[:1], same[:0]):
        assert pytest.approx(expected, abs=1e-5) == blend_embeddings(parts, MEANS, sample)
