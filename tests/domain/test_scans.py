"""Which parameters a scan of the index gets, and how they are chosen among measured ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.entities.embeddings import Query, QueryKind, QueryPart
from domain.entities.scans import (
    Measurement,
    QueryShape,
    ScanCurve,
    ScanParameters,
    ScanRow,
    ScanTable,
    Trial,
    Tuning,
    cheapest,
)

TEXT, IMAGE, BLEND = QueryShape.TEXT, QueryShape.IMAGE, QueryShape.BLEND
IDS = tuple(UUID(int=number) for number in range(40))


def row(ef_search: int, **values: object) -> ScanRow:
    parameters = ScanParameters(ef_search, iterative=True)
    default = ScanRow(TEXT, 120, 1.0, 1_000, parameters, 100, 0.99)
    return replace(default, **values)  # type: ignore[arg-type] # the fields of a row


def measured(
    ef_search: int, recall: float, milliseconds: float, *, error: float = 0.0, is_full: bool = True
) -> Measurement:
    parameters = ScanParameters(ef_search, iterative=False)
    return Measurement(parameters, recall, error, recall, milliseconds, is_full)


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        (Query([1.0], QueryKind.TEXT), TEXT),
        (Query([1.0], QueryKind.IMAGE), IMAGE),
        (Query([1.0], QueryKind.IMAGE, (QueryPart([1.0], QueryKind.IMAGE),)), BLEND),
    ],
)
def test_the_shape_of_a_query_is_what_it_was_made_from(query: Query, shape: QueryShape) -> None:
    assert shape is QueryShape.of(query)


@pytest.mark.parametrize(
    ("depth", "selectivity", "images", "ef_search"),
    [
        (20, 1.0, 1, 1),
        (120, 0.9, 1_000, 2),
        (121, 1.0, 1_000, 3),
        (9_999, 1.0, 1_000, 3),
        (120, 0.2, 1_000, 2),
        (120, 0.01, 1_000, 2),
        (120, 1.0, 1_001, 4),
        (120, 1.0, 10_000_000, 4),
    ],
)
def test_a_search_gets_the_narrowest_row_that_covers_it(
    depth: int, selectivity: float, images: int, ef_search: int
) -> None:
    table = ScanTable(
        (
            row(1),
            row(2, selectivity=0.3),
            row(3, depth=400),
            row(4, images=5_000),
            row(5, shape=IMAGE),
        )
    )
    chosen = table.row(TEXT, depth=depth, selectivity=selectivity, images=images)
    assert ef_search == chosen.parameters.ef_search


def test_the_cheapest_parameters_that_reach_the_recall_are_chosen() -> None:
    narrow, enough, wide = measured(40, 0.9, 1.0), measured(80, 0.985, 2.0), measured(99, 1.0, 3.0)
    assert enough == cheapest([narrow, enough, wide], 0.98)
    assert wide == cheapest([narrow, enough, wide], 0.99)


def test_a_recall_that_chance_may_have_lifted_above_the_target_is_not_chosen() -> None:
    lucky, sure = measured(80, 0.982, 2.0, error=0.003), measured(99, 0.99, 3.0, error=0.003)
    assert sure == cheapest([lucky, sure], 0.98)


def test_scans_that_find_too_few_hits_are_not_chosen() -> None:
    short, full = measured(80, 1.0, 1.0, is_full=False), measured(99, 0.99, 3.0)
    assert full == cheapest([short, full], 0.98)


def test_of_equally_fast_parameters_the_narrowest_are_chosen() -> None:
    narrow, wide = measured(80, 0.99, 2.05), measured(99, 1.0, 2.0)
    assert narrow == cheapest([wide, narrow], 0.98)


def test_without_any_that_reach_the_recall_the_best_are_chosen() -> None:
    best = measured(99, 0.97, 3.0)
    assert best == cheapest([measured(40, 0.9, 1.0), best], 0.98)


def test_a_measurement_summarises_trials() -> None:
    truth = Trial(IDS[:25], 9.0)
    half = Trial((*IDS[:10], *IDS[25:40]), 2.0)
    result = Measurement.of(ScanParameters(40, iterative=False), [truth, half], [truth, truth])
    assert (0.75, 0.7, 5.5, True) == (
        result.recall,
        result.deep_recall,
        result.milliseconds,
        result.is_full,
    )
    assert 0.25 == pytest.approx(result.standard_error)
    short = Trial(IDS[:24], 1.0)
    assert not Measurement.of(ScanParameters(40, iterative=False), [short], [truth]).is_full


def test_an_exact_scan_is_used_where_it_takes_less_than_twice_as_long() -> None:
    chosen = measured(80, 0.99, 2.0)
    curve = ScanCurve(TEXT, 120, 0.5, (chosen,), chosen, chosen, exact_milliseconds=50.0)
    # 500 images were compared in 50 ms, so 40 in 4 ms.
    assert 40 == curve.row(images=1_000).exact_below


def test_a_table_is_stale_once_the_library_has_doubled() -> None:
    tuning = Tuning(datetime(2026, 11, 30, tzinfo=UTC), 0.98, 1_000)
    assert [False, True] == [tuning.is_stale(images) for images in (1_999, 2_000)]
