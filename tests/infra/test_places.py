"""Where a picture was taken: GPS tags and XMP, with and without hemispheres."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import GeoPoint
from infra.pillow.metadata import Metadata
from infra.pillow.places import read_place
from tests.exif_blocks import rationals
from tests.metadata import exif_metadata, jpeg_with, metadata_of, xmp

if TYPE_CHECKING:
    from tests.exif_blocks import Tag


def gps(latitude: bytes, longitude: bytes, *, kind: str = "R") -> list[Tag]:
    return [(2, kind, latitude), (4, kind, longitude)]


def test_a_place_of_exactly_zero_is_none() -> None:
    zero = rationals((0, 1), (0, 1), (0, 1))
    tags: list[Tag] = [(1, "s", b"N\0"), (3, "s", b"E\0"), *gps(zero, zero)]
    assert read_place(exif_metadata(gps=tags)) is None
    on_the_equator = gps(zero, rationals((9, 1), (0, 1), (0, 1)))
    assert read_place(exif_metadata(gps=on_the_equator)) == GeoPoint(0, 9)


def test_numbers_without_hemispheres_keep_their_signs() -> None:
    plain = gps(rationals((52, 1), (30, 1), (0, 1)), rationals((13, 1), (15, 1), (0, 1)))
    assert read_place(exif_metadata(gps=plain)) == GeoPoint(52.5, 13.25)
    signed = [struct.pack("<6i", degrees, 1, 30, 1, 0, 1) for degrees in (-52, 13)]
    found = read_place(exif_metadata(gps=gps(signed[0], signed[1], kind="S")))
    assert found == GeoPoint(-52.5, 13.5)


def test_a_sign_and_a_hemisphere_do_not_cancel_out() -> None:
    south = struct.pack("<6i", -33, 1, 30, 1, 0, 1)
    east = struct.pack("<6i", 151, 1, 0, 1, 0, 1)
    tags: list[Tag] = [(1, "s", b"S\0"), (3, "s", b"E\0"), *gps(south, east, kind="S")]
    assert read_place(exif_metadata(gps=tags)) == GeoPoint(-33.5, 151)


def test_unreadable_seconds_count_as_zero() -> None:
    tags = gps(rationals((52, 1), (30, 1), (0, 0)), rationals((13, 1), (15, 1), (0, 0)))
    assert read_place(exif_metadata(gps=tags)) == GeoPoint(52.5, 13.25)


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("52,30N", "13,15.0W", GeoPoint(52.5, -13.25)),
        ("52,30,0S", "13,15,0E", GeoPoint(-52.5, 13.25)),
        ("-52.5", "13.25", GeoPoint(-52.5, 13.25)),
        ("99,0N", "13,0E", None),
        ("north", "13,0E", None),
        ("0,0N", "0,0E", None),
    ],
)
def test_xmp_spells_places_its_own_way(
    latitude: str, longitude: str, expected: GeoPoint | None
) -> None:
    packet = xmp(f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}"')
    assert expected == read_place(metadata_of(jpeg_with(packet=packet)))


def test_a_place_in_xmp_replaces_an_unreadable_one_in_exif() -> None:
    broken = gps(rationals((52, 0), (30, 1), (0, 1)), rationals((13, 1), (15, 1), (0, 1)))
    places = {"exif:GPSLatitude": ("52,30N",), "exif:GPSLongitude": ("13,15E",)}
    metadata = Metadata(exif_metadata(gps=broken).tags, places)
    assert read_place(metadata) == GeoPoint(52.5, 13.25)
