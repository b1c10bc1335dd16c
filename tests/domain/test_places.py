"""Boxes of a map, and grids over it."""

import pytest

from domain.entities.places import GeoBox, PlaceRequest
from domain.errors import InvalidArgument

WORLD = ((-180.0, 180.0),)


@pytest.mark.parametrize(
    ("west", "east", "expected"),
    [
        (8.0, 10.0, ((8.0, 10.0),)),
        (170.0, -170.0, ((170.0, 180.0), (-180.0, -170.0))),
        (170.0, 190.0, ((170.0, 180.0), (-180.0, -170.0))),
        (-190.0, -170.0, ((170.0, 180.0), (-180.0, -170.0))),
        (370.0, 380.0, ((10.0, 20.0),)),
        (-180.0, 180.0, WORLD),
        (-200.0, 200.0, WORLD),
        (170.0, 180.0, ((170.0, 180.0), (-180.0, -180.0))),
        (-180.0, -170.0, ((-180.0, -170.0), (180.0, 180.0))),
        (5.0, 5.0, ((5.0, 5.0),)),
    ],
)
def test_a_box_has_ranges_of_longitudes_on_one_map(
    west: float, east: float, *, expected: tuple[tuple[float, float], ...]
) -> None:
    assert expected == GeoBox(10, -10, east, west).longitudes


@pytest.mark.parametrize(
    ("edges", "field"),
    [
        ((91, 0, 1, 0), "north"),
        ((0, -91, 1, 0), "south"),
        ((0, 1, 1, 0), "south"),
        ((1, 0, 541, 0), "east"),
        ((1, 0, 0, float("nan")), "west"),
    ],
)
def test_edges_out_of_range_are_refused(edges: tuple[float, ...], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        GeoBox(*edges)
    assert ("filter", "within", field) == refusal.value.location


@pytest.mark.parametrize(("precision", "first"), [(-1, 1), (25, 1), (3, 0), (3, 1_001)])
def test_a_grid_out_of_range_is_refused(precision: int, first: int) -> None:
    with pytest.raises(InvalidArgument):
        PlaceRequest(precision, first)


def test_a_grid_is_twice_as_fine_at_the_next_precision() -> None:
    assert [360, 180, 90] == [PlaceRequest(each, 1).cell_degrees for each in range(3)]
