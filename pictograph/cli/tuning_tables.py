"""Tables of `pictograph tune`: the chosen parameters, and the curves that they were chosen from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.entities.scans import Measurement, ScanCurve, ScanParameters
    from domain.use_cases.search.tune import TuningReport

UNFILTERED = "none"


def scan_table(report: TuningReport) -> Table:
    """Lay out a row for each kind of search: its parameters, its recall and its time."""
    table = Table(
        *("Query", _number("Hits"), "Filter", _number("ef_search"), "Iterative"),
        *(_number("Exact below"), _number("Recall@20"), _number("ms"), _number("Exact ms")),
        title=f"{report.images:,} images, for a recall of {report.target_recall:g}",
    )
    for curve, row in zip(report.curves, report.table.rows, strict=True):
        recall = curve.held_out.recall
        table.add_row(
            curve.shape,
            f"{curve.depth:,}",
            filter_name(curve.selectivity),
            str(curve.chosen.parameters.ef_search),
            _on_or_off(curve.chosen.parameters),
            f"{row.exact_below:,}",
            Text(f"{recall:.3f}", style="" if recall >= report.target_recall else "yellow"),
            f"{curve.held_out.milliseconds:.1f}",
            f"{curve.exact_milliseconds:.1f}",
        )
    return table


def curve_tables(report: TuningReport) -> Iterator[Table]:
    """Yield the curve of each kind of search: recall and time of every tried parameter."""
    for curve in report.curves:
        table = Table(
            *(_number("ef_search"), "Iterative", _number("Recall@20"), _number("± error")),
            *(_number(f"Recall@{curve.depth}"), _number("ms"), ""),
            title=curve_name(curve),
        )
        for each in curve.measured:
            table.add_row(
                str(each.parameters.ef_search),
                _on_or_off(each.parameters),
                f"{each.recall:.3f}",
                f"{each.standard_error:.3f}",
                f"{each.deep_recall:.3f}",
                f"{each.milliseconds:.1f}",
                _remark(curve, each),
            )
        yield table


def curve_name(curve: ScanCurve) -> str:
    """Return which searches a curve is of."""
    return f"{curve.shape}, {curve.depth:,} hits, filter: {filter_name(curve.selectivity)}"


def filter_name(selectivity: float) -> str:
    """Return how many images a filter matches."""
    return UNFILTERED if selectivity >= 1 else f"{selectivity:.0%} match"


def _remark(curve: ScanCurve, measured: Measurement) -> str:
    if measured == curve.chosen:
        return "chosen"
    return "" if measured.is_full else "too few hits"


def _on_or_off(parameters: ScanParameters) -> str:
    return "on" if parameters.iterative else "off"


def _number(header: str) -> Column:
    return Column(header, justify="right")
