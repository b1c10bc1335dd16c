"""Relevance: bands and calibration curves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.relevance import CLIP, Curve, RelevanceBand, band_of

CURVE = Curve(7.0, 1.3)
MARGINS = st.floats(allow_nan=False)


@pytest.mark.parametrize(
    ("relevance", "band"),
    [
        (1.0, RelevanceBand.STRONG),
        (0.9, RelevanceBand.STRONG),
        (math.nextafter(0.9, 0), RelevanceBand.LIKELY),
        (0.5, RelevanceBand.LIKELY),
        (math.nextafter(0.5, 0), RelevanceBand.WEAK),
        (0.0, RelevanceBand.WEAK),
    ],
)
def test_a_band_includes_its_lower_bound(relevance: float, band: RelevanceBand) -> None:
    assert band == band_of(relevance)


@given(MARGINS, MARGINS)
def test_relevance_never_falls_with_the_margin(one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert 0 <= CURVE(smaller) <= CURVE(larger) <= 1


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_relevance_is_a_half_at_the_midpoint_and_0_73_one_spread_above(
    midpoint: float, spread: float
) -> None:
    curve = Curve(midpoint, spread)
    assert 0.5 == curve(midpoint)
    assert pytest.approx(0.731, abs=0.001) == curve(midpoint + spread)
    assert pytest.approx(1) == curve(midpoint + spread) + curve(midpoint - spread)


@pytest.mark.parametrize("curve", [CLIP.text, CLIP.image, Curve(0.0, 1e-9)])
def test_extreme_margins_do_not_overflow(curve: Curve) -> None:
    for margin, relevance in ((1e308, 1), (math.inf, 1), (-1e308, 0), (-math.inf, 0)):
        assert relevance == curve(margin)


@pytest.mark.parametrize(
    ("midpoint", "spread"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_a_curve_that_does_not_rise_is_refused(midpoint: float, spread: float) -> None:
    with pytest.raises(ValueError, match="no rising curve"):
        Curve(midpoint, spread)
