"""Relevance on recorded embeddings of CLIP: one threshold for all queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.labelled_scores import LabelledScores, recorded
from benchmarks.real_clip import FOLDER
from benchmarks.relevance import false_strong_share, picture_curve, text_curve
from domain.entities.relevance import CLIP, LIKELY, STRONG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.labelled_scores import Recorded

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the recorded embeddings are not part of the project"
)


@pytest.fixture(scope="module")
def clip() -> Recorded:
    return recorded()


@pytest.fixture(scope="module")
def nouns(clip: Recorded) -> LabelledScores:
    return LabelledScores(clip.margins(clip.queries), clip.relevant)


@pytest.fixture(scope="module")
def absent(clip: Recorded) -> NDArray[np.float32]:
    """The largest margin of each concept that the library does not show."""
    margins: NDArray[np.float32] = clip.margins(clip.absent).max(axis=1)
    return margins


def test_the_recorded_part_of_the_bank_is_large_enough(clip: Recorded) -> None:
    assert 48 == len(clip.names)
    assert 57 == len(clip.absent)
    assert 650 < len(clip.bank)


def test_one_threshold_on_relevance_separates_hits_from_noise_for_held_out_nouns(
    nouns: LabelledScores,
) -> None:
    assert nouns.held_out(splits=60) >= 0.86
    assert nouns.f1(CLIP.text.midpoint) >= 0.86


def test_a_threshold_on_the_cosine_or_its_z_score_does_not(clip: Recorded) -> None:
    scores = clip.queries @ clip.pictures.T
    z = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    assert max(LabelledScores(values, clip.relevant).best()[0] for values in (scores, z)) < 0.72


def test_absent_concepts_rarely_have_a_strong_hit(absent: NDArray[np.float32]) -> None:
    strong = [CLIP.text(float(margin)) >= STRONG for margin in absent]
    assert np.mean(strong) <= 0.05
    assert false_strong_share(absent) <= 0.05


def test_a_threshold_on_relevance_separates_similar_pictures_from_noise(clip: Recorded) -> None:
    pictures = clip.by_picture()
    scores = clip.pictures[::10] @ clip.pictures.T
    scores[pictures.values == -np.inf] = -1
    assert pictures.held_out(splits=20) >= 0.8
    assert LabelledScores(scores, pictures.relevant).best()[0] < 0.75
    strong = np.vectorize(CLIP.image)(pictures.values) >= STRONG
    assert pictures.relevant[strong].mean() >= 0.95


def test_the_curves_equal_those_of_the_calibration(
    clip: Recorded, nouns: LabelledScores, absent: NDArray[np.float32]
) -> None:
    assert CLIP.text == text_curve(nouns, absent)
    assert CLIP.image == picture_curve(clip.by_picture())


def test_half_the_bank_moves_the_threshold_by_less_than_the_spread(
    clip: Recorded, nouns: LabelledScores
) -> None:
    _, threshold = nouns.best()
    for half in (clip.bank[::2], clip.bank[1::2]):
        _, moved = LabelledScores(clip.margins(clip.queries, bank=half), clip.relevant).best()
        assert abs(moved - threshold) < CLIP.text.spread


def test_likely_is_the_midpoint_of_both_curves() -> None:
    assert LIKELY == CLIP.text(CLIP.text.midpoint) == CLIP.image(CLIP.image.midpoint)
