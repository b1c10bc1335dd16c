"""Outlines of shapes: smooth curves, arcs and transformations. Modules compute them at import."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postcards.painting.brush import Point

Outline: TypeAlias = "tuple[Point, ...]"


def rounded(*points: Point, steps: int = 4) -> Outline:
    """Return a smooth closed outline through points. A repeated point is a sharp corner."""
    outline: list[Point] = []
    count = len(points)
    for i, start in enumerate(points):
        end = points[(i + 1) % count]
        if start == end:
            continue
        before, after = points[i - 1], points[(i + 2) % count]
        outline.extend(
            (
                _between(step / steps, before[0], start[0], end[0], after[0]),
                _between(step / steps, before[1], start[1], end[1], after[1]),
            )
            for step in range(steps)
        )
    return tuple(outline)


def arc(  # noqa: PLR0913, PLR0917 - an ellipse and two angles
    x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 12
) -> Outline:
    """Return points along an ellipse. Angles in degrees, anticlockwise from three o'clock."""
    angles = [(start + (end - start) * step / steps) * pi / 180 for step in range(steps + 1)]
    return tuple((x + rx * cos(angle), y + ry * sin(angle)) for angle in angles)


def moved(
    points: Sequence[Point], x: float, y: float, *, by_x: float = 1, by_y: float = 1
) -> Outline:
    """Return points that are scaled around the origin, then translated."""
    return tuple((x + px * by_x, y + py * by_y) for px, py in points)


def turned(points: Sequence[Point], degrees: float, around: Point = (0, 0)) -> Outline:
    """Return points that are rotated anticlockwise around a point."""
    c, s = cos(degrees * pi / 180), sin(degrees * pi / 180)
    x, y = around
    return tuple(
        (x + (px - x) * c - (py - y) * s, y + (px - x) * s + (py - y) * c) for px, py in points
    )


def _between(t: float, before: float, start: float, end: float, after: float) -> float:
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
