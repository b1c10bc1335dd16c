"""EXIF tags: locations, times, exposures, orientations."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from domain.entities.images import Exif, GeoPoint
from infra.pillow.exif import orientation_of, read_exif
from infra.pillow.metadata import Metadata
from infra.pillow.tiff_tags import TagValue, read_tags
from tests.exif_blocks import Tag, block, exif, rationals, some_exif

PHOTOS = Path("../shared/data/gps")


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos in ../shared/data are missing")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Computed by hand from the rationals in the files, e.g. 43 + 28 / 60 + 2.814 / 3600.
        (
            "DSCN0010.jpg",
            (datetime.fromisoformat("2008-10-22T16:28:39"), 43.467448, 11.885127, 5.9, 24.0, 64),
        ),
        (
            "DSCN0021.jpg",
            (datetime.fromisoformat("2008-10-22T16:38:20"), 43.467082, 11.884538, 4.7, 16.6, 64),
        ),
        (
            "DSCN0038.jpg",
            (datetime.fromisoformat("2008-10-22T16:52:15"), 43.467255, 11.879213, 5.9, 24.0, 103),
        ),
        (
            "DSCN0042.jpg",
            (datetime.fromisoformat("2008-10-22T17:00:07"), 43.464455, 11.881478, 4.4, 15.0, 64),
        ),
    ],
)
def test_photos_have_times_locations_and_camera_settings(
    name: str, expected: tuple[datetime, float, float, float, float, int]
) -> None:
    taken_at, latitude, longitude, f_number, focal_length, iso = expected
    with Image.open(PHOTOS / name) as image:
        found = read_exif(Metadata(read_tags(image.info["exif"])))
    assert found
    assert taken_at == found.taken_at_local
    assert (found.camera_make, found.camera_model) == ("NIKON", "COOLPIX P6000")
    assert found.location
    assert found.location.latitude == pytest.approx(latitude, abs=1e-6)
    assert found.location.longitude == pytest.approx(longitude, abs=1e-6)
    assert (f_number, focal_length, iso) == (found.f_number, found.focal_length_mm, found.iso)
    assert found.lens is None
    assert found.all["Software"].startswith("Nikon Transfer")
    assert found.all["ExifVersion"] == "0220"
    assert "MakerNote" not in found.all


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos in ../shared/data are missing")
@pytest.mark.parametrize("name", [f"DSCN00{n}.jpg" for n in (10, 12, 21, 25, 27, 29, 38, 40, 42)])
def test_locations_times_and_exposures_equal_those_of_pillow(name: str) -> None:
    with Image.open(PHOTOS / name) as image:
        found = read_exif(Metadata(read_tags(image.info["exif"])))
        theirs = image.getexif()
        gps, photo = theirs.get_ifd(0x8825), theirs.get_ifd(0x8769)
    assert found
    assert found.location
    assert found.taken_at_local
    degrees = [float(part) for part in gps[2]]
    assert found.location.latitude == pytest.approx(
        degrees[0] + degrees[1] / 60 + degrees[2] / 3600
    )
    assert photo[36867] == found.taken_at_local.strftime("%Y:%m:%d %H:%M:%S")
    assert found.exposure_seconds == pytest.approx(float(photo[33434]))
    assert theirs[272].strip("\0 ") == found.camera_model


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    photo: list[Tag] = [
        (33434, "R", rationals((1, 50), order=order)),
        (34855, "H", struct.pack(order + "H", 400)),
        (42036, "s", b"EF50mm f/1.8 II\0"),
    ]
    found = read_exif(
        Metadata(read_tags(block([(271, "s", b"Canon\0")], {0x8769: photo}, order=order)))
    )
    assert found == Exif(
        camera_make="Canon",
        lens="EF50mm f/1.8 II",
        iso=400,
        exposure_seconds=0.02,
        all={
            "Make": "Canon",
            "ExposureTime": "1/50",
            "ISOSpeedRatings": "400",
            "LensModel": "EF50mm f/1.8 II",
        },
    )


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ((b"N\0", b"E\0"), GeoPoint(33.5, 70.25)),
        ((b"S\0", b"W\0"), GeoPoint(-33.5, -70.25)),
        ((b"s\0", b"w\0"), GeoPoint(-33.5, -70.25)),
        ((b"\0\0", b"E\0"), GeoPoint(33.5, 70.25)),
        ((b"N\0", b"?\0"), GeoPoint(33.5, 70.25)),
    ],
)
def test_south_and_west_are_negative_and_a_number_without_its_hemisphere_keeps_its_sign(
    references: tuple[bytes, bytes], expected: GeoPoint | None
) -> None:
    gps: list[Tag] = [
        (1, "s", references[0]),
        (2, "R", rationals((33, 1), (30, 1), (0, 1))),
        (3, "s", references[1]),
        (4, "R", rationals((70, 1), (15, 1), (0, 1))),
    ]
    found = read_exif(Metadata(read_tags(block([], {0x8825: gps}))))
    assert found
    assert expected == found.location


@pytest.mark.parametrize(
    "latitude",
    [
        rationals((33, 0), (30, 1), (0, 1)),
        rationals((91, 1), (0, 1), (0, 1)),
        rationals((2**32 - 1, 1), (0, 1), (0, 1)),
    ],
)
def test_an_invalid_location_is_left_out_but_other_tags_are_kept(latitude: bytes) -> None:
    gps: list[Tag] = [
        (1, "s", b"N\0"),
        (2, "R", latitude),
        (3, "s", b"E\0"),
        (4, "R", rationals((70, 1), (15, 1), (0, 1))),
    ]
    found = read_exif(Metadata(read_tags(block([(271, "s", b"Canon\0")], {0x8825: gps}))))
    assert found
    assert found.location is None
    assert (found.camera_make, found.all["GPSLongitude"]) == ("Canon", "70, 15, 0")


@pytest.mark.parametrize(
    ("time", "offset", "fraction", "expected"),
    [
        ("2024:05:01 14:30:00", None, None, None),
        ("2024:05:01 14:30:00", "+02:00", None, datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024:05:01 14:30:00", "-0330", "25", datetime(2024, 5, 1, 18, 0, 0, 250000, tzinfo=UTC)),
        ("2024-05-01T14:30:00", "Z", "x", datetime(2024, 5, 1, 14, 30, tzinfo=UTC)),
        ("2024:05:01 14:30:00", "+99:00", "", None),
        ("0000:00:00 00:00:00", None, None, None),
        ("    :  :     :  :  ", None, None, None),
        ("2024:13:01 14:30:00", None, None, None),
        ("2024:05:01 24:00:00", None, None, None),
        ("0001:01:01 00:00:00", "+14:00", None, None),
        ("yesterday", None, None, None),
    ],
)
def test_times_are_converted_to_utc(
    time: str, offset: str | None, fraction: str | None, expected: datetime | None
) -> None:
    photo: list[Tag] = [(36867, "s", time.encode() + b"\0")]
    if offset is not None:
        photo.append((36881, "s", offset.encode() + b"\0"))
    if fraction is not None:
        photo.append((37521, "s", fraction.encode() + b"\0"))
    found = exif(photo=[*photo, (33437, "R", rationals((28, 10)))])
    assert found
    assert expected == found.taken_at
    assert found.f_number == 2.8


def test_the_digitized_time_replaces_a_missing_original_time() -> None:
    found = some_exif(photo=[(36868, "s", b"2024:05:01 14:30:00\0"), (36882, "s", b"+01:00\0")])
    assert found.taken_at == datetime(2024, 5, 1, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ((34855, "H", struct.pack("<H", 100)), 100),
        ((34855, "H", struct.pack("<HH", 100, 0)), 100),
        ((34855, "s", b"100\0"), 100),
        ((34855, "s", b"high\0"), None),
        ((34855, "H", struct.pack("<H", 0)), None),
        ((34855, "H", struct.pack("<H", 65535)), None),
        ((34855, "I", struct.pack("<I", 2**32 - 1)), None),
        ((34855, "R", rationals((0, 0))), None),
        ((34855, "d", struct.pack("<d", math.nan)), None),
        ((34855, "d", struct.pack("<d", math.inf)), None),
        ((34855, "d", struct.pack("<d", 0.25)), None),
        ((34855, "u", b"100"), None),
        ((34866, "I", struct.pack("<I", 102_400)), 102_400),
    ],
)
def test_numbers_of_every_type_are_read(tag: Tag, expected: int | None) -> None:
    found = some_exif([(271, "s", b"Canon\0")], [tag])
    assert expected == found.iso


def test_a_sensitivity_beyond_16_bits_is_read_from_another_tag() -> None:
    photo: list[Tag] = [
        (34855, "H", struct.pack("<H", 65535)),
        (34866, "I", struct.pack("<I", 204_800)),
    ]
    assert some_exif(photo=photo).iso == 204_800


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((6,), 6),
        ("6", 6),
        ((Fraction(6),), 6),
        ((0,), 1),
        ((9,), 1),
        ((None,), 1),
        ("top", 1),
        ("inf", 1),
        (b"\6", 1),
    ],
)
def test_an_invalid_orientation_counts_as_upright(value: TagValue, expected: int) -> None:
    assert expected == orientation_of(Metadata({"Orientation": value}))
    assert orientation_of(Metadata()) == 1
