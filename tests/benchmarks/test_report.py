from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import chart
from benchmarks.figures import Figure
from benchmarks.growth import Growth
from benchmarks.report import Machine, Report, number, write_into

if TYPE_CHECKING:
    from pathlib import Path

SEARCH = Figure("search", "ms", (20.0, 40.0), (100.0, 120.0), (10.0, 10.0), "the tower alone")
UPLOAD = Figure("upload <8>", "/s", (6.0,), (12.0,), (24.0,), more_is_better=True)
IMPORT = Figure("import", "/s", (5.0,), floor=(6.0,), limit="cores", more_is_better=True)
GROWTH = Growth(10_000, 1.25, 140, 0.982, 4465.4, 8.2, 5.3, 3.1)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def report() -> Report:
    machine = Machine("a processor", 2, 8.0, "3.11.7", {"torch": "2.13.0"})
    return Report(machine, "quick", 25_000, 118.2, 0.5, (SEARCH, UPLOAD, IMPORT), (GROWTH,))


def test_the_table_has_values_with_units_and_ratios(report: Report) -> None:
    lines = report.markdown().splitlines()
    assert "| search | 110 ms | 30 ms | 4 | 10 ms | 0.375 | the tower alone |" in lines
    assert "| upload <8> | 12/s | 6/s | 0.5 | 24/s | 0.25 |  |" in lines
    assert "| import | - | 5/s | - | 6/s | 0.833 | cores |" in lines
    assert "| 10,000 | 1.25 ms | 0.982 | 140 | 4,465 | 8 s | 5 s | 3.1 ms |" in lines


def test_the_conditions_are_part_of_the_report(report: Report) -> None:
    assert "2 cores (a processor), 8 GB of memory, 25,000 pictures" in report.markdown()
    assert "Load average at the end: 0.5" in report.markdown()
    assert "Not measured" not in report.markdown()


def test_what_was_skipped_is_part_of_the_report(report: Report) -> None:
    some = replace(report, skipped=("imports", "growth"))
    assert "Not measured for lack of time: imports, growth." in some.markdown()


def test_the_json_has_every_round_and_the_ratios(report: Report) -> None:
    content = json.loads(report.json())
    search = content["figures"][0]
    assert [20, 40] == search["ours"]
    assert (30, 110, 10) == (search["median"], search["plain_median"], search["floor_median"])
    assert (4, 0.375) == (search["times_as_good"], search["share_of_floor"])
    assert {"torch": "2.13.0"} == content["machine"]["packages"]
    assert 10_000 == content["growth"][0]["vectors"]


def test_the_machine_is_described() -> None:
    machine = Machine.this_one()
    assert machine.cores >= 1
    assert machine.memory_gigabytes > 0
    assert "pgvector" in machine.packages


def test_the_tables_replace_what_is_between_the_comments(tmp_path: Path, report: Report) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- benchmarks -->\nold \\1\n<!-- end of benchmarks -->\nafter\n")
    write_into(document, report.markdown())
    first = document.read_text()
    assert first.startswith("before\n<!-- benchmarks -->\n")
    assert first.endswith("<!-- end of benchmarks -->\nafter\n")
    assert "old" not in first
    write_into(document, report.markdown())
    assert first == document.read_text()


def test_a_document_without_a_place_is_named(tmp_path: Path) -> None:
    document = tmp_path / "other.md"
    document.write_text("no place")
    with pytest.raises(ValueError, match=r"other\.md has no place"):
        write_into(document, "tables")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0123, "0.0123"), (4.0, "4"), (12.34, "12.3"), (123.4, "123"), (2125.0, "2,125")],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, expected: str) -> None:
    assert expected == number(value)


def test_the_chart_has_a_bar_for_each_figure_that_the_plain_pipeline_has(report: Report) -> None:
    svg = ET.fromstring(chart(report.figures))  # noqa: S314 - written by this project
    assert 2 == len(svg.findall(f"{SVG}rect"))
    assert 2 == len([line for line in svg.iter(f"{SVG}line") if line.get("class") == "floor"])
    words = [text.text for text in svg.iter(f"{SVG}text")]
    assert {"search", "upload <8>", "4 times (30 ms)", "0.5 times (6/s)"} <= set(words)
    assert "import" not in words


def test_bars_of_better_and_worse_figures_start_at_the_same_line(report: Report) -> None:
    svg = ET.fromstring(chart(report.figures))  # noqa: S314 - written by this project
    [one] = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "one"]
    better, worse = svg.findall(f"{SVG}rect")
    start = float(better.attrib["x"])
    end = float(worse.attrib["x"]) + float(worse.attrib["width"])
    assert pytest.approx(float(one.attrib["x1"]), abs=0.2) == start
    assert pytest.approx(start, abs=0.2) == end


def test_everything_is_inside_the_chart() -> None:
    extreme = Figure("extreme", "ms", (1.0,), (100_000.0,), (0.001,))
    svg = ET.fromstring(chart([extreme]))  # noqa: S314 - written by this project
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    for line in svg.iter(f"{SVG}line"):
        assert 0 <= float(line.attrib["x1"]) <= width
        assert 0 <= float(line.attrib["y2"]) <= height


def test_the_chart_has_colours_for_dark_pages_and_refers_to_no_file(report: Report) -> None:
    svg = chart(report.figures)
    assert "prefers-color-scheme: dark" in svg
    assert 1 == svg.count("http")
    assert "url(" not in svg


def test_a_chart_without_comparisons_is_refused() -> None:
    with pytest.raises(ValueError, match="compared with the plain pipeline"):
        chart([IMPORT])
