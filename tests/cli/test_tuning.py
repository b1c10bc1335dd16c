"""What `pictograph tune` shows."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from rich.console import Console

from domain.entities.scans import (
    Measurement,
    QueryShape,
    ScanCurve,
    ScanParameters,
    ScanTable,
    Tuning,
)
from domain.use_cases.search.tune import TuningReport
from pictograph.cli.recall_chart import NAMESPACE, recall_chart
from pictograph.cli.tuning_tables import curve_tables, scan_table


def measured(ef_search: int, recall: float, milliseconds: float, *, is_full: bool) -> Measurement:
    parameters = ScanParameters(ef_search, iterative=ef_search > 100)
    return Measurement(parameters, recall, 0.002, recall - 0.01, milliseconds, is_full)


def report() -> TuningReport:
    points = (
        measured(40, 0.5, 0.7, is_full=False),
        measured(100, 0.912, 1.5, is_full=True),
        measured(450, 0.985, 4.1, is_full=True),
    )
    held_out = measured(450, 0.979, 4.2, is_full=True)
    curves = tuple(
        ScanCurve(shape, 120, selectivity, points, points[2], held_out, 55.5)
        for shape, selectivity in ((QueryShape.TEXT, 1.0), (QueryShape.IMAGE, 0.3))
    )
    tuning = Tuning(datetime(2026, 11, 30, tzinfo=UTC), 0.98, 25_000)
    table = ScanTable(tuple(curve.row(25_000) for curve in curves), tuning=tuning)
    return TuningReport(25_000, 0.98, curves, table)


def shown(*tables: object) -> str:
    console = Console(file=io.StringIO(), width=120)
    for each in tables:
        console.print(each)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_parameters_recall_and_time_of_each_kind_of_search() -> None:
    text, image = [line for line in shown(scan_table(report())).splitlines() if "450" in line]
    assert ["text", "120", "none", "450", "on", "3,784", "0.979", "4.2", "55.5"] == cells(text)
    assert ["image", "120", "30% match", "450", "on", "1,136"] == cells(image)[:6]


def test_a_curve_has_a_row_for_everything_that_was_tried() -> None:
    tables = shown(*curve_tables(report()))
    assert "text, 120 hits, filter: none" in tables
    rows = [cells(line) for line in tables.splitlines() if line.startswith("│")]
    assert ["40", "off", "0.500", "0.002", "0.490", "0.7", "too few hits"] == rows[0]
    assert ["100", "off", "0.912", "0.002", "0.902", "1.5", ""] == rows[1]
    assert ["450", "on", "0.985", "0.002", "0.975", "4.1", "chosen"] == rows[2]


def test_the_chart_has_a_line_and_a_chosen_point_for_each_curve() -> None:
    svg = ET.fromstring(recall_chart(report()))  # noqa: S314 - made above
    lines = svg.findall(f"{{{NAMESPACE}}}polyline")
    # The scan that found too few hits is left out.
    assert [2, 2] == [len(line.attrib["points"].split()) for line in lines]
    words = [element.text for element in svg.findall(f"{{{NAMESPACE}}}text")]
    assert "image, 120 hits, filter: 30% match: 450" in words
    assert "Recall@20 and time of searches among 25,000 images" in words


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]
