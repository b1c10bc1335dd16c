"""Conditions, orders and places."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.filters import EPOCH, GeoNear, ImageFilter, SortField, TimeRange, microseconds
from domain.entities.images import Exif, Image, ImageStatus, uuid7
from domain.entities.listing import Position, Sort, position_of
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.errors import Location

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
IMAGE = Image(
    id=uuid7(),
    filename="sea.png",
    content_type="image/png",
    byte_size=7,
    sha256="0" * 64,
    created_at=NOON,
    status=ImageStatus.READY,
)


def refused(make: Callable[[], object]) -> tuple[Location, str]:
    with pytest.raises(InvalidArgument) as refusal:
        make()
    return refusal.value.location, refusal.value.message


def test_a_list_of_a_thousand_and_one_passes() -> None:
    ids = tuple(uuid7() for _ in range(1_001))
    assert ids == ImageFilter(ids_not_in=ids).ids_not_in


@pytest.mark.parametrize(
    ("make", "location", "message"),
    [
        (
            lambda: ImageFilter(camera_make_in=("x",) * 1_002),
            ("filter", "camera_make_in"),
            "The condition “camera make in” has a length of 1,002; at most 1,001 is read.",
        ),
        (
            lambda: ImageFilter(keywords="x" * 1_002),
            ("filter", "keywords"),
            "The condition “keywords” has a length of 1,002; at most 1,001 is read.",
        ),
        (
            lambda: ImageFilter(keywords="a\0b"),
            ("filter", "keywords"),
            "The condition “keywords” has the character U+0000 in it; leave that out.",
        ),
        (
            lambda: ImageFilter(tags_any=("fine", "\ud83d")),
            ("filter", "tags_any"),
            "The condition “tags any” has the character U+D83D in it; leave that out.",
        ),
        (
            lambda: TimeRange(gte=datetime(2026, 1, 31, 12)),  # noqa: DTZ001 - what is refused
            ("filter",),
            "2026-01-31 12:00:00 has no offset; append Z or +01:00.",
        ),
        (
            lambda: TimeRange(lt=datetime(2026, 1, 31, 12)),  # noqa: DTZ001 - what is refused
            ("filter",),
            "2026-01-31 12:00:00 has no offset; append Z or +01:00.",
        ),
        (
            lambda: GeoNear(90.5, 0, 1),
            ("filter", "near", "latitude"),
            "The latitude is 90.5; it may be -90 to 90.",
        ),
        (
            lambda: GeoNear(0, -181, 1),
            ("filter", "near", "longitude"),
            "The longitude is -181; it may be -180 to 180.",
        ),
        (
            lambda: GeoNear(0, 0, -1),
            ("filter", "near", "radius_km"),
            "The radius in km is -1; it may be 0 to 20,100.",
        ),
        (
            lambda: GeoNear(math.nan, 0, 1),
            ("filter", "near", "latitude"),
            "The latitude is nan; it may be -90 to 90.",
        ),
        (
            lambda: GeoNear(0, 0, math.inf),
            ("filter", "near", "radius_km"),
            "The radius in km is inf; it may be 0 to 20,100.",
        ),
    ],
)
def test_a_condition_beyond_any_use_is_refused_with_the_way_out(
    make: Callable[[], object], location: Location, message: str
) -> None:
    assert (location, message) == refused(make)


def test_the_corners_of_the_globe_pass() -> None:
    assert GeoNear(90, 180, 20_100) != GeoNear(-90, -180, 0)


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "0001-01-01 00:00:00+01:00"),
        (
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
            "9999-12-31 23:59:59.999999-01:00",
        ),
    ],
)
def test_an_instant_outside_the_calendar_is_refused(instant: datetime, shown: str) -> None:
    for make in (lambda: TimeRange(gte=instant), lambda: TimeRange(lt=instant)):
        assert (
            ("filter",),
            f"{shown} is outside the years 1 to 9999 in UTC; leave the bound out.",
        ) == refused(make)


def test_the_first_and_the_last_instant_of_the_calendar_pass() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert first == TimeRange(first, last).gte


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (SortField.FILENAME, "sea.png"),
        (SortField.BYTE_SIZE, 7),
        (SortField.CREATED_AT, microseconds(NOON)),
        (SortField.TAKEN_AT, None),
    ],
)
def test_a_place_is_the_value_that_is_sorted_by_and_the_id(
    field: SortField, value: str | int | None
) -> None:
    assert Position(value, IMAGE.id) == position_of(IMAGE, Sort(field))


def test_the_place_of_a_dated_photo_is_when_it_was_taken() -> None:
    taken = replace(IMAGE, exif=Exif(taken_at=EPOCH + timedelta(microseconds=5)))
    assert Position(5, IMAGE.id) == position_of(taken, Sort(SortField.TAKEN_AT))
    undated = replace(IMAGE, exif=Exif(iso=100))
    assert Position(None, IMAGE.id) == position_of(undated, Sort(SortField.TAKEN_AT))


@given(st.datetimes(timezones=st.timezones()))
def test_microseconds_lose_nothing(instant: datetime) -> None:
    shortest = timedelta(microseconds=1)
    assert instant - EPOCH == microseconds(instant) * shortest
