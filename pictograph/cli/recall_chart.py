"""The chart of `pictograph tune` as SVG: recall against time, a line for each kind of search.

It is readable on light and on dark pages, and refers to no other file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pictograph.cli.tuning_tables import curve_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.scans import Measurement
    from domain.use_cases.search.tune import TuningReport

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 290, 56, 48
LEGEND_LINE = 18
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
RECALL_STEPS = 5
HUES = 9
"""How many lines have a colour of their own."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .note { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .target { stroke: #bc4c00; stroke-dasharray: 5 4; }
  polyline { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .target { stroke: #f0883e; }
  }
"""


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a recall and a time are in the picture. The axis of time is logarithmic."""

    least_recall: float
    least_time: float
    greatest_time: float

    @classmethod
    def over(cls, measured: Sequence[Measurement], target: float) -> _Axes:
        lowest = min(target, *(each.recall for each in measured))
        times = [max(each.milliseconds, TICKS[0]) for each in measured]
        least = max((tick for tick in TICKS if tick <= min(times)), default=TICKS[0])
        greatest = min((tick for tick in TICKS if tick >= max(times)), default=max(times))
        return cls(math.floor(20 * min(lowest, 0.95)) / 20, least, max(greatest, 2 * least))

    def x(self, milliseconds: float) -> float:
        share = math.log(max(milliseconds, self.least_time) / self.least_time)
        share /= math.log(self.greatest_time / self.least_time)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, recall: float) -> float:
        share = (1 - recall) / (1 - self.least_recall)
        return TOP + share * (HEIGHT - TOP - BOTTOM)


def recall_chart(report: TuningReport) -> str:
    """Return the SVG of all curves. Each chosen point is a filled circle."""
    every = [each for curve in report.curves for each in curve.measured if each.is_full]
    axes = _Axes.over(every, report.target_recall)
    svg = Element("svg", xmlns=NAMESPACE, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")
    title = f"Recall@20 and time of searches among {report.images:,} images"
    SubElement(svg, "title").text = title
    SubElement(svg, "style").text = STYLE
    _text(svg, title, 16, 26, kind="title")
    _grid(svg, axes)
    _line(svg, axes, report.target_recall, kind="target")
    for number, curve in enumerate(report.curves):
        colour = f"hsl({360 * number // HUES % 360} 60% {45 + 12 * (number // HUES % 3)}%)"
        points = sorted(
            (axes.x(each.milliseconds), axes.y(each.recall))
            for each in curve.measured
            if each.is_full
        )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(svg, "polyline", points=path, stroke=colour)
        x, y = axes.x(curve.chosen.milliseconds), axes.y(curve.chosen.recall)
        SubElement(svg, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="5", fill=colour)
        below = TOP + LEGEND_LINE * number
        left = WIDTH - RIGHT + 24
        SubElement(svg, "circle", cx=str(left), cy=str(below - 4), r="5", fill=colour)
        _text(svg, f"{curve_name(curve)}: {curve.chosen.parameters.ef_search}", left + 12, below)
    indent(svg)
    return tostring(svg, encoding="unicode") + "\n"


def _grid(svg: Element, axes: _Axes) -> None:
    for step in range(RECALL_STEPS + 1):
        recall = 1 - step * (1 - axes.least_recall) / RECALL_STEPS
        _line(svg, axes, recall, kind="grid")
        _text(svg, f"{recall:.2f}", 24, axes.y(recall) + 4, kind="note")
    for tick in TICKS:
        if axes.least_time <= tick <= axes.greatest_time:
            _text(svg, f"{tick:g}", axes.x(tick) - 6, HEIGHT - BOTTOM + 20, kind="note")
    _text(svg, "milliseconds, and ef_search in the legend", LEFT, HEIGHT - 10, kind="note")


def _line(svg: Element, axes: _Axes, recall: float, *, kind: str) -> None:
    y = f"{axes.y(recall):.1f}"
    ends = {"x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": y, "y2": y}
    SubElement(svg, "line", {"class": kind, **ends})


def _text(svg: Element, words: str, x: float, y: float, *, kind: str = "name") -> None:
    SubElement(svg, "text", {"class": kind, "x": f"{x:.0f}", "y": f"{y:.0f}"}).text = words
