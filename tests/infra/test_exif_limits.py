"""EXIF that is long, damaged or invalid: what is kept and what is left out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.pillow.exif import orientation_of, read_exif
from infra.pillow.metadata import Metadata
from infra.pillow.tiff_tags import TagValue, read_tags
from tests.exif_blocks import Tag, block, rationals, some_exif


def test_texts_are_stripped_of_control_characters_and_decoded() -> None:
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


def test_undefined_values_are_text_or_a_few_numbers() -> None:
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


def test_long_texts_are_truncated_and_huge_ones_left_out() -> None:
    found = some_exif([(270, "s", b"x" * 4000 + b"\0"), (305, "s", b"y" * 5000 + b"\0")])
    assert found.all == {"ImageDescription": "x" * 1000}


def test_at_most_250_tags_are_kept() -> None:
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
def test_a_block_without_readable_tags_is_no_exif(data: bytes) -> None:
    assert read_exif(Metadata(read_tags(data))) is None


def test_a_truncated_block_keeps_the_complete_tags() -> None:
    whole = block(
        [(271, "s", b"A\0"), (272, "s", b"A longer name\0"), (274, "H", b"\6\0")],
        {0x8825: [(1, "s", b"N\0")]},
    )
    found = read_exif(Metadata(read_tags(whole[: 6 + 8 + 2 + 36])))
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
def test_random_bytes_raise_no_error(noise: bytes, position: int, order: str) -> None:
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
    data[position : position + len(noise)] = noise
    tags = read_tags(bytes(data))
    assert orientation_of(Metadata(tags)) in range(1, 9)
    found = read_exif(Metadata(tags))
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
def test_random_values_raise_no_error(tags: dict[str, TagValue]) -> None:
    assert orientation_of(Metadata(tags)) in range(1, 9)
    read_exif(Metadata(tags))
