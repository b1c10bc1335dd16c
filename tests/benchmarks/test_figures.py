from __future__ import annotations

import pytest

from benchmarks.figures import Figure, median_ratio


def test_a_time_is_better_where_it_is_smaller() -> None:
    figure = Figure("search", "ms", (10, 30, 20), plain=(80, 60, 90), floor=(5, 6, 10))
    assert (20, 80, 6) == (figure.value, figure.plain_value, figure.floor_value)
    assert 4.5 == figure.gain
    assert 0.5 == figure.share_of_floor


def test_a_rate_is_better_where_it_is_larger() -> None:
    figure = Figure("search", "/s", (40,), plain=(10,), floor=(50,), more_is_better=True)
    assert 4 == figure.gain
    assert 0.8 == figure.share_of_floor


def test_rounds_are_compared_with_those_of_the_same_minute() -> None:
    # A machine that is ten times as slow in the second round slows both.
    assert 2 == median_ratio((2, 20, 2), (1, 10, 1))
    assert 2 == median_ratio((2, 20, 4), (1, 3))


def test_a_figure_without_plain_pipeline_and_floor_has_no_ratios() -> None:
    figure = Figure("growth", "ms", (1.5,))
    assert (None, None) == (figure.plain_value, figure.gain)
    assert (None, None) == (figure.floor_value, figure.share_of_floor)


@pytest.mark.parametrize("more_is_better", [False, True])
def test_equal_values_have_the_ratio_1(more_is_better: bool) -> None:  # noqa: FBT001
    figure = Figure("same", "ms", (3, 4), (3, 4), (3, 4), more_is_better=more_is_better)
    assert 1 == figure.gain == figure.share_of_floor
