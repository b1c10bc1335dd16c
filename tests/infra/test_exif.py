"""What is read of EXIF, and how little it takes to be left out."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from domain.images import Exif, GeoPoint
from infra.exif import orientation_of, read_exif
from infra.tiff_tags import Value, read_tags

PHOTOS = Path("../shared/data/gps")
TYPES = {
    "B": (1, 1),
    "s": (2, 1),
    "H": (3, 2),
    "I": (4, 4),
    "R": (5, 8),
    "u": (7, 1),
    "S": (10, 8),
    "f": (11, 4),
    "d": (12, 8),
}
Tag = tuple[int, str, bytes]


def block(main: list[Tag], below: dict[int, list[Tag]] | None = None, *, order: str = "<") -> bytes:
    """Lay out an EXIF block: a main directory, and those that tags of it point to."""
    tiff = bytearray(b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)

    def directory(tags: list[Tag]) -> None:
        heap = len(tiff) + 2 + 12 * len(tags) + 4
        tiff.extend(struct.pack(order + "H", len(tags)))
        values = b""
        for tag, letter, raw in tags:
            kind, size = TYPES[letter]
            tiff.extend(struct.pack(order + "HHI", tag, kind, len(raw) // size))
            if len(raw) <= 4:
                tiff.extend(raw.ljust(4, b"\0"))
            else:
                tiff.extend(struct.pack(order + "I", heap + len(values)))
                values += raw
        tiff.extend(bytes(4) + values)

    below = below or {}
    ends = 8 + 2 + 12 * (len(main) + len(below)) + 4 + sum(len(r) for _, _, r in main if len(r) > 4)
    pointers: list[Tag] = []
    for pointer, tags in below.items():
        pointers.append((pointer, "I", struct.pack(order + "I", ends)))
        ends += 2 + 12 * len(tags) + 4 + sum(len(raw) for _, _, raw in tags if len(raw) > 4)
    directory(main + pointers)
    for tags in below.values():
        directory(tags)
    return b"Exif\0\0" + bytes(tiff)


def rationals(*pairs: tuple[int, int], order: str = "<") -> bytes:
    return b"".join(struct.pack(order + "II", *pair) for pair in pairs)


def exif(main: list[Tag] | None = None, photo: list[Tag] | None = None) -> Exif | None:
    return read_exif(read_tags(block(main or [], {0x8769: photo or []})))


def some_exif(main: list[Tag] | None = None, photo: list[Tag] | None = None) -> Exif:
    found = exif(main, photo)
    assert found
    return found


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Worked out by hand from the numbers in the files, e.g. 43 + 28 / 60 + 2.814 / 3600.
        (
            "DSCN0010.jpg",
            (datetime(2008, 10, 22, 16, 28, 39, tzinfo=UTC), 43.467448, 11.885127, 5.9, 24.0, 64),
        ),
        (
            "DSCN0021.jpg",
            (datetime(2008, 10, 22, 16, 38, 20, tzinfo=UTC), 43.467082, 11.884538, 4.7, 16.6, 64),
        ),
        (
            "DSCN0038.jpg",
            (datetime(2008, 10, 22, 16, 52, 15, tzinfo=UTC), 43.467255, 11.879213, 5.9, 24.0, 103),
        ),
        (
            "DSCN0042.jpg",
            (datetime(2008, 10, 22, 17, 0, 7, tzinfo=UTC), 43.464455, 11.881478, 4.4, 15.0, 64),
        ),
    ],
)
def test_photos_say_when_where_and_with_what_they_were_taken(
    name: str, expected: tuple[datetime, float, float, float, float, int]
) -> None:
    taken_at, latitude, longitude, f_number, focal_length, iso = expected
    with Image.open(PHOTOS / name) as image:
        found = read_exif(read_tags(image.info["exif"]))
    assert found
    assert taken_at == found.taken_at
    assert (found.camera_make, found.camera_model) == ("NIKON", "COOLPIX P6000")
    assert found.location
    assert found.location.latitude == pytest.approx(latitude, abs=1e-6)
    assert found.location.longitude == pytest.approx(longitude, abs=1e-6)
    assert (f_number, focal_length, iso) == (found.f_number, found.focal_length_mm, found.iso)
    assert found.lens is None
    assert found.all["Software"].startswith("Nikon Transfer")
    assert found.all["ExifVersion"] == "0220"
    assert "MakerNote" not in found.all


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of ../shared/data are not here")
@pytest.mark.parametrize("name", [f"DSCN00{n}.jpg" for n in (10, 12, 21, 25, 27, 29, 38, 40, 42)])
def test_pillow_reads_the_same_places_times_and_exposures(name: str) -> None:
    with Image.open(PHOTOS / name) as image:
        found = read_exif(read_tags(image.info["exif"]))
        theirs = image.getexif()
        gps, photo = theirs.get_ifd(0x8825), theirs.get_ifd(0x8769)
    assert found
    assert found.location
    assert found.taken_at
    degrees = [float(part) for part in gps[2]]
    assert found.location.latitude == pytest.approx(
        degrees[0] + degrees[1] / 60 + degrees[2] / 3600
    )
    assert photo[36867] == found.taken_at.strftime("%Y:%m:%d %H:%M:%S")
    assert found.exposure_seconds == pytest.approx(float(photo[33434]))
    assert theirs[272].strip("\0 ") == found.camera_model


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    photo: list[Tag] = [
        (33434, "R", rationals((1, 50), order=order)),
        (34855, "H", struct.pack(order + "H", 400)),
        (42036, "s", b"EF50mm f/1.8 II\0"),
    ]
    found = read_exif(read_tags(block([(271, "s", b"Canon\0")], {0x8769: photo}, order=order)))
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
        ((b"\0\0", b"E\0"), None),
        ((b"N\0", b"?\0"), None),
    ],
)
def test_south_and_west_are_negative_and_no_hemisphere_is_no_place(
    references: tuple[bytes, bytes], expected: GeoPoint | None
) -> None:
    gps: list[Tag] = [
        (1, "s", references[0]),
        (2, "R", rationals((33, 1), (30, 1), (0, 1))),
        (3, "s", references[1]),
        (4, "R", rationals((70, 1), (15, 1), (0, 1))),
    ]
    found = read_exif(read_tags(block([], {0x8825: gps})))
    assert found
    assert expected == found.location


@pytest.mark.parametrize(
    "latitude",
    [
        rationals((33, 0), (30, 1), (0, 1)),
        rationals((33, 1), (30, 1), (0, 0)),
        rationals((91, 1), (0, 1), (0, 1)),
        rationals((2**32 - 1, 1), (0, 1), (0, 1)),
    ],
)
def test_a_place_that_cannot_be_is_left_out_and_the_rest_stays(latitude: bytes) -> None:
    gps: list[Tag] = [
        (1, "s", b"N\0"),
        (2, "R", latitude),
        (3, "s", b"E\0"),
        (4, "R", rationals((70, 1), (15, 1), (0, 1))),
    ]
    found = read_exif(read_tags(block([(271, "s", b"Canon\0")], {0x8825: gps})))
    assert found
    assert found.location is None
    assert (found.camera_make, found.all["GPSLongitude"]) == ("Canon", "70, 15, 0")


@pytest.mark.parametrize(
    ("time", "offset", "fraction", "expected"),
    [
        ("2024:05:01 14:30:00", None, None, datetime(2024, 5, 1, 14, 30, tzinfo=UTC)),
        ("2024:05:01 14:30:00", "+02:00", None, datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024:05:01 14:30:00", "-0330", "25", datetime(2024, 5, 1, 18, 0, 0, 250000, tzinfo=UTC)),
        ("2024-05-01T14:30:00", "Z", "x", datetime(2024, 5, 1, 14, 30, tzinfo=UTC)),
        ("2024:05:01 14:30:00", "+99:00", "", datetime(2024, 5, 1, 14, 30, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None, None, None),
        ("    :  :     :  :  ", None, None, None),
        ("2024:13:01 14:30:00", None, None, None),
        ("2024:05:01 24:00:00", None, None, None),
        ("0001:01:01 00:00:00", "+14:00", None, None),
        ("yesterday", None, None, None),
    ],
)
def test_the_time_is_an_instant(
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


def test_where_the_original_time_is_missing_the_digitized_one_stands_in() -> None:
    found = some_exif(photo=[(36868, "s", b"2024:05:01 14:30:00\0"), (36882, "s", b"+01:00\0")])
    assert found.taken_at == datetime(2024, 5, 1, 13, 30, tzinfo=UTC)
    assert some_exif([(306, "s", b"2024:05:01 14:30:00\0")]).taken_at is None


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
def test_a_number_is_read_however_it_was_written(tag: Tag, expected: int | None) -> None:
    found = some_exif([(271, "s", b"Canon\0")], [tag])
    assert expected == found.iso


def test_a_high_sensitivity_stands_where_sixteen_bits_are_too_few() -> None:
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
def test_what_is_no_orientation_is_upright(value: Value, expected: int) -> None:
    assert expected == orientation_of({"Orientation": value})
    assert orientation_of({}) == 1


def test_texts_lose_nul_and_spaces_and_keep_their_letters() -> None:
    main: list[Tag] = [
        (271, "s", b"  NIKON CORPORATION \0\0garbage\0"),
        (272, "s", "Größe ✓\0".encode()),
        (305, "s", "Größe\0".encode("latin-1")),
        (315, "s", b"\0\0\0\0\0\0"),
        (33432, "s", b"a\x07b\0"),
    ]
    found = some_exif(main)
    assert found.camera_make == "NIKON CORPORATION"
    assert found.camera_model == "Größe ✓"
    assert found.all["Software"] == "Größe"
    assert "Artist" not in found.all
    assert found.all["Copyright"] == "ab"


def test_opaque_values_are_text_where_they_can_be_and_numbers_where_they_are_few() -> None:
    photo: list[Tag] = [
        (36864, "u", b"0232"),
        (37121, "u", b"\1\2\3\0"),
        (37510, "u", b"ASCII\0\0\0A quiet morning\0\0"),
        (37386, "R", rationals((50, 3))),
        (41730, "u", bytes(range(200))),
        (37500, "u", b"maker's note"),
        (40961, "B", b"\1"),
    ]
    assert some_exif(photo=photo).all == {
        "ExifVersion": "0232",
        "ComponentsConfiguration": "1, 2, 3, 0",
        "UserComment": "A quiet morning",
        "FocalLength": "16.66666667",
        "ColorSpace": "1",
    }


def test_long_texts_are_cut_and_huge_ones_left_out() -> None:
    found = some_exif([(270, "s", b"x" * 4000 + b"\0"), (305, "s", b"y" * 5000 + b"\0")])
    assert found.all == {"ImageDescription": "x" * 1000}


def test_no_more_than_two_hundred_and_fifty_tags_are_kept() -> None:
    assert len(some_exif([(tag, "H", b"\1\0") for tag in range(11, 511)]).all) <= 250


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"II*\0\xff\xff\xff\xff",
        block([]),
        b"no exif at all",
        block([(256, "I", bytes(4)), (273, "I", bytes(4))]),
        block([(271, "s", b"\0\0")]),
        block([], {0x8769: []}),
    ],
)
def test_where_nothing_can_be_read_there_is_no_exif(data: bytes) -> None:
    assert read_exif(read_tags(data)) is None


def test_a_block_that_breaks_off_keeps_the_tags_before_the_break() -> None:
    whole = block(
        [(271, "s", b"A\0"), (272, "s", b"A longer name\0"), (274, "H", b"\6\0")],
        {0x8825: [(1, "s", b"N\0")]},
    )
    found = read_exif(read_tags(whole[: 6 + 8 + 2 + 36]))
    assert found
    assert found.all == {"Make": "A", "Orientation": "6"}


def test_a_directory_that_points_to_itself_is_read_once() -> None:
    loop = block([(0x8769, "I", struct.pack("<I", 8)), (271, "s", b"A\0")])
    assert read_tags(loop)["Make"] == "A"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60),
    st.integers(0, 400),
    st.sampled_from(["<", ">"]),
)
def test_no_bytes_whatever_break_the_reading(noise: bytes, place: int, order: str) -> None:
    gps: list[Tag] = [
        (1, "s", b"N\0"),
        (2, "R", rationals((43, 1), (28, 1), (2, 1), order=order)),
        (3, "s", b"E\0"),
        (4, "R", rationals((11, 1), (53, 1), (6, 1), order=order)),
    ]
    photo: list[Tag] = [
        (33434, "R", rationals((1, 50), order=order)),
        (36867, "s", b"2024:05:01 14:30:00\0"),
        (36881, "s", b"+02:00\0"),
        (34855, "H", struct.pack(order + "H", 400)),
    ]
    data = bytearray(block([(271, "s", b"Canon\0")], {0x8769: photo, 0x8825: gps}, order=order))
    data[place : place + len(noise)] = noise
    tags = read_tags(bytes(data))
    assert orientation_of(tags) in range(1, 9)
    found = read_exif(tags)
    for text in found.all.values() if found else ():
        assert "\0" not in text
        text.encode()


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("Make", "Orientation", "FNumber", "ISOSpeedRatings"),
                *("GPSLatitude", "GPSLatitudeRef", "GPSLongitude", "GPSLongitudeRef"),
                *("DateTimeOriginal", "OffsetTimeOriginal", "SubsecTimeOriginal"),
            ]
        ),
        st.one_of(
            st.text(st.characters(codec="utf-8")),
            st.binary(),
            st.lists(
                st.one_of(
                    st.integers(-(2**31), 2**32),
                    st.floats(allow_nan=False, allow_infinity=False),
                    st.fractions(),
                    st.none(),
                )
            ).map(tuple),
        ),
    )
)
def test_no_values_whatever_break_the_understanding(tags: dict[str, Value]) -> None:
    assert orientation_of(tags) in range(1, 9)
    read_exif(tags)
