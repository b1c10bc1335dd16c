"""The chart of a report as SVG: how many times as good as the plain pipeline each figure is.

It is readable on light and on dark pages, and refers to no other file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from benchmarks.report import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.figures import Figure

NAMESPACE = "http://www.w3.org/2000/svg"
TITLE = "Times as good as a plain pipeline"
NOTE = (
    "Same pictures, model and minutes. The axis is logarithmic. The orange mark is the floor of "
    "this machine."
)
WIDTH, LEFT, RIGHT = 860, 320, 130
TOP, ROW, BAR, BOTTOM = 64, 34, 18, 44
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .note { fill: #59636e; font-size: 12px; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; }
  .bar { fill: #0969da; }
  .floor { stroke: #bc4c00; stroke-width: 2.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .one { stroke: #9198a1; }
    .bar { fill: #4493f8; }
    .floor { stroke: #f0883e; }
  }
"""


def chart(figures: Iterable[Figure]) -> str:
    """Return the SVG of the figures that the plain pipeline has, too. Raises ValueError if none.

    The axis is logarithmic. A mark shows how good the floor is, compared in the same way.
    """
    compared = [figure for figure in figures if figure.gain]
    if not compared:
        raise ValueError("No figure of the report is compared with the plain pipeline.")
    axis = _Axis(compared)
    bottom = TOP + ROW * len(compared)
    svg = Element("svg", xmlns=NAMESPACE, viewBox=f"0 0 {WIDTH} {bottom + BOTTOM}", role="img")
    SubElement(svg, "title").text = TITLE
    SubElement(svg, "style").text = STYLE
    _text(svg, TITLE, 16, 26, kind="title")
    _text(svg, NOTE, 16, 46, kind="note")
    for tick in axis.ticks:
        x = axis.x(tick)
        _line(svg, "one" if tick == 1 else "grid", x, (TOP, bottom))
        _text(svg, number(tick), x, bottom + 20, kind="note", anchor="middle")
    for place, figure in enumerate(compared):
        _add_row(svg, figure, axis, TOP + ROW * place)
    indent(svg)
    return tostring(svg, encoding="unicode") + "\n"


class _Axis:
    """A logarithmic axis that has room for all gains and floors."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        values = [1.0, *(gain for figure in figures for gain in _gains(figure))]
        self._low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
        self._high = min((tick for tick in TICKS if tick > max(values)), default=TICKS[-1])

    @property
    def ticks(self) -> list[float]:
        """The values that are labelled."""
        return [tick for tick in TICKS if self._low <= tick <= self._high]

    def x(self, value: float) -> float:
        """Return where a value is. Values beyond the ends are at the ends."""
        within = min(max(value, self._low), self._high)
        share = math.log(within / self._low) / math.log(self._high / self._low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def _gains(figure: Figure) -> list[float]:
    """Return the gain of a figure, and that of its floor if it has one."""
    if not figure.gain:
        return []
    share = figure.share_of_floor
    return [figure.gain, *([figure.gain / share] if share else [])]


def _add_row(svg: Element, figure: Figure, axis: _Axis, top: float) -> None:
    """Draw the bar of a figure between its name and its values."""
    gain, *floors = _gains(figure)
    start, end = sorted((axis.x(1), axis.x(gain)))
    y, middle = top + (ROW - BAR) / 2, top + ROW / 2 + 4.5
    _text(svg, figure.name, LEFT - 12, middle, anchor="end")
    size = {"width": f"{max(end - start, 1):.1f}", "height": str(BAR)}
    SubElement(svg, "rect", {"class": "bar", "x": f"{start:.1f}", "y": f"{y:.1f}", **size})
    for floor in floors:
        _line(svg, "floor", axis.x(floor), (y - 3, y + BAR + 3))
    space = "" if figure.unit.startswith("/") else " "
    values = f"{number(gain)} times ({number(figure.value)}{space}{figure.unit})"
    _text(svg, values, max([end, *map(axis.x, floors)]) + 8, middle, kind="note")


def _text(  # noqa: PLR0913 - the attributes of a text
    svg: Element, words: str, x: float, y: float, *, kind: str = "", anchor: str = "start"
) -> None:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(svg, "text", ({"class": kind} if kind else {}) | attributes).text = words


def _line(svg: Element, kind: str, x: float, ends: tuple[float, float]) -> None:
    """Draw a vertical line."""
    y1, y2 = (f"{end:.1f}" for end in ends)
    SubElement(svg, "line", {"class": kind, "x1": f"{x:.1f}", "x2": f"{x:.1f}", "y1": y1, "y2": y2})
