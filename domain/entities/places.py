"""Parts of a map: boxes of coordinates, and clusters of the places where pictures were taken."""

from __future__ import annotations

import math
from dataclasses import dataclass

from domain.errors import InvalidArgument

MAX_PRECISION = 24
"""The finest grid: its cells are about two metres wide at the equator."""

MAX_CLUSTERS = 1_000

_POLE, _DATE_LINE, _TURN = 90.0, 180.0, 360.0


@dataclass(frozen=True, slots=True)
class GeoBox:
    """A part of a map, its edges included, in signed degrees.

    A map that was dragged over the date line goes on beyond 180 degrees. So a longitude may be up
    to a turn further, and a box whose east is less than its west crosses the date line.
    """

    north: float
    south: float
    east: float
    west: float

    def __post_init__(self) -> None:
        """Raise InvalidArgument for edges out of range."""
        for name, value, most in (
            ("north", self.north, _POLE),
            ("south", self.south, _POLE),
            ("east", self.east, _DATE_LINE + _TURN),
            ("west", self.west, _DATE_LINE + _TURN),
        ):
            if not (math.isfinite(value) and -most <= value <= most):
                raise InvalidArgument(
                    ("filter", "within", name),
                    f"The edge in the {name} is {value:g}; it may be {-most:g} to {most:g}.",
                )
        if self.south > self.north:
            raise InvalidArgument(
                ("filter", "within", "south"),
                f"The edge in the south, {self.south:g}, is north of the one in the north, "
                f"{self.north:g}; exchange them.",
            )

    @property
    def longitudes(self) -> tuple[tuple[float, float], ...]:
        """Ranges of longitudes from west to east, each within -180 to 180."""
        if self.east - self.west >= _TURN:
            return ((-_DATE_LINE, _DATE_LINE),)
        west, east = _wrapped(self.west), _wrapped(self.east)
        if west > east:
            return ((west, _DATE_LINE), (-_DATE_LINE, east))
        # The date line has two longitudes.
        of_east = ((-_DATE_LINE, -_DATE_LINE),) if east == _DATE_LINE else ()
        of_west = ((_DATE_LINE, _DATE_LINE),) if west == -_DATE_LINE else ()
        return ((west, east), *of_east, *of_west)


def _wrapped(longitude: float) -> float:
    if -_DATE_LINE <= longitude <= _DATE_LINE:
        return longitude
    return (longitude + _DATE_LINE) % _TURN - _DATE_LINE


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """How to cluster places: by the cells of a grid, of which the fullest are returned.

    At a precision, the grid has 2 to the power of it cells around the equator. No cell crosses the
    date line.
    """

    precision: int
    first: int

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a number out of range."""
        if not 0 <= self.precision <= MAX_PRECISION:
            raise InvalidArgument(
                ("precision",),
                f"The precision is {self.precision}; it may be 0 to {MAX_PRECISION}.",
            )
        if not 1 <= self.first <= MAX_CLUSTERS:
            raise InvalidArgument(
                ("first",), f"first is {self.first}; it may be 1 to {MAX_CLUSTERS:,} for places."
            )

    @property
    def cell_degrees(self) -> float:
        """The width and the height of a cell."""
        return math.ldexp(_TURN, -self.precision)


@dataclass(frozen=True, slots=True)
class PlaceCluster:
    """The images that were taken in one cell of a grid."""

    latitude: float
    longitude: float
    """The mean of their coordinates."""
    count: int
    box: GeoBox
    """The smallest box that contains them."""
