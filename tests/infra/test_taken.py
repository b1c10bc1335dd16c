"""When a picture was taken: local times and instants, wherever a file tells them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.entities.images import GeoPoint
from infra.pillow.metadata import Metadata
from infra.pillow.taken import Taken, read_taken
from tests.exif_blocks import Tag, rationals
from tests.metadata import (
    exif_metadata,
    image_resources,
    iptc,
    jpeg_with,
    metadata_of,
    png_with,
    xmp,
)

LOCAL = datetime(2024, 6, 15, 14, 0)  # noqa: DTZ001 - a clock's
AT_TWO_HOURS = Taken(LOCAL, datetime(2024, 6, 15, 12, 0, tzinfo=UTC))
ORIGINAL: Tag = (36867, "s", b"2024:06:15 14:00:00\0")
DIGITIZED: Tag = (36868, "s", b"2024:06:15 14:00:00\0")
MODIFIED: Tag = (306, "s", b"2024:06:15 14:00:00\0")
OFFSET_TIME, OFFSET_ORIGINAL, OFFSET_DIGITIZED = (
    (tag, "s", b"+02:00\0") for tag in (36880, 36881, 36882)
)
GPS_DATE: Tag = (29, "s", b"2024:06:15\0")
BERLIN, NEW_YORK = GeoPoint(52.52, 13.4), GeoPoint(40.7, -74)


def gps_time(hour: int, minute: int, second: int) -> list[Tag]:
    return [GPS_DATE, (7, "R", rationals((hour, 1), (minute, 1), (second, 1)))]


def taken(metadata: Metadata, place: GeoPoint | None = None, zone: str | None = None) -> Taken:
    return read_taken(metadata, place, zone)


def test_a_time_without_an_offset_is_local_and_no_instant() -> None:
    assert taken(exif_metadata(photo=[ORIGINAL])) == Taken(LOCAL)


@pytest.mark.parametrize(
    "photo",
    [
        [ORIGINAL, OFFSET_TIME],
        [ORIGINAL, OFFSET_ORIGINAL],
        [ORIGINAL, OFFSET_DIGITIZED],
        [DIGITIZED, OFFSET_DIGITIZED],
        [(36867, "s", b"2024:06:15 14:00:00+02:00\0")],
        [(36867, "s", b"2024-06-15T14:00:00+0200\0")],
    ],
)
def test_an_offset_is_read_from_any_of_its_tags_or_from_the_date(photo: list[Tag]) -> None:
    assert taken(exif_metadata(photo=photo)) == AT_TWO_HOURS


@pytest.mark.parametrize(
    ("clock", "gps"),
    [("14:00:00", (12, 0, 0)), ("14:00:00", (11, 58, 7)), ("17:45:00", (12, 0, 0))],
)
def test_gps_time_tells_the_offset_of_the_clock(clock: str, gps: tuple[int, int, int]) -> None:
    photo: list[Tag] = [(36867, "s", f"2024:06:15 {clock}\0".encode())]
    found = taken(exif_metadata(photo=photo, gps=gps_time(*gps)), NEW_YORK)
    assert found.instant
    assert abs((found.instant - datetime(2024, 6, 15, 12, tzinfo=UTC)).total_seconds()) < 300


def test_an_old_gps_fix_tells_no_offset_but_the_place_does() -> None:
    metadata = exif_metadata(photo=[ORIGINAL], gps=gps_time(10, 52, 30))
    assert taken(metadata) == Taken(LOCAL)
    assert taken(metadata, BERLIN) == AT_TWO_HOURS


def test_the_place_tells_the_offset_of_that_day_and_a_setting_where_there_is_none() -> None:
    winter: list[Tag] = [(36867, "s", b"2024:12:31 23:30:00\0")]
    found = taken(exif_metadata(photo=winter), NEW_YORK, "Europe/Berlin")
    assert found.instant == datetime(2025, 1, 1, 4, 30, tzinfo=UTC)
    assert taken(exif_metadata(photo=[ORIGINAL]), zone="Europe/Berlin") == AT_TWO_HOURS


def test_gps_time_alone_is_shown_in_the_local_time_of_the_place() -> None:
    metadata = exif_metadata(gps=gps_time(12, 0, 0))
    assert taken(metadata, BERLIN) == AT_TWO_HOURS
    assert taken(metadata) == Taken(
        datetime(2024, 6, 15, 12, 0),  # noqa: DTZ001 - a clock's
        AT_TWO_HOURS.instant,
    )


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(packet=xmp('exif:DateTimeOriginal="2024-06-15T14:00:00"')),
        jpeg_with(packet=xmp("", "<xmp:CreateDate>2024-06-15T14:00:00</xmp:CreateDate>")),
        jpeg_with(packet=xmp('photoshop:DateCreated="2024-06-15T14:00"')),
        jpeg_with(resources=image_resources(iptc((55, b"20240615"), (60, b"140000")))),
        png_with(Creation_Time="2024:06:15 14:00:00"),
        png_with(**{"XML:com.adobe.xmp": xmp('exif:DateTimeOriginal="2024-06-15T14:00"').decode()}),
        png_with(
            Raw_profile_type_xmp="\nxmp\n 9\n"
            + xmp('exif:DateTimeOriginal="2024-06-15T14:00:00"').hex()
        ),
    ],
)
def test_dates_are_read_wherever_they_stand(data: bytes) -> None:
    assert taken(metadata_of(data)) == Taken(LOCAL)


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(packet=xmp('exif:DateTimeOriginal="2024-06-15T14:00:00+02:00"')),
        jpeg_with(resources=image_resources(iptc((55, b"20240615"), (60, b"140000+0200")))),
        png_with(Creation_Time="Sat, 15 Jun 2024 14:00:00 +0200"),
    ],
)
def test_dates_with_offsets_are_instants_wherever_they_stand(data: bytes) -> None:
    assert taken(metadata_of(data)) == AT_TWO_HOURS


def test_the_date_of_a_change_counts_where_there_is_no_other() -> None:
    assert taken(exif_metadata([MODIFIED])) == Taken(LOCAL)
    later: Tag = (306, "s", b"2025:01:01 00:00:00\0")
    assert taken(exif_metadata([later], [ORIGINAL])) == Taken(LOCAL)


def test_an_offset_in_xmp_belongs_to_the_same_local_time_in_exif() -> None:
    exif = exif_metadata(photo=[ORIGINAL])
    same = Metadata(exif.tags, {"exif:DateTimeOriginal": ("2024-06-15T14:00:00+02:00",)})
    other = Metadata(exif.tags, {"xmp:ModifyDate": ("2024-06-16T14:00:00+02:00",)})
    assert taken(same) == AT_TWO_HOURS
    assert taken(other) == Taken(LOCAL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024:06:15", datetime(2024, 6, 15)),  # noqa: DTZ001 - a clock's
        ("2024:06:15 14:00", LOCAL),
        ("2024:06:15 25:61:00", datetime(2024, 6, 15)),  # noqa: DTZ001
        ("2024:06:15 14:00:60", datetime(2024, 6, 15, 14, 0, 59)),  # noqa: DTZ001
        ("2024:06:15 14:00:00 PDT", LOCAL),
        ("2024-06", datetime(2024, 6, 1)),  # noqa: DTZ001
        ("2024", None),
        ("2024:13:01 14:30:00", None),
        ("1718452800", None),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
    ],
)
def test_what_is_right_in_a_broken_date_is_kept(text: str, expected: datetime | None) -> None:
    metadata = exif_metadata(photo=[(36867, "s", text.encode() + b"\0")])
    assert expected == taken(metadata).local


def test_a_broken_date_does_not_hide_the_next_one() -> None:
    broken: Tag = (36867, "s", b"0000:00:00 00:00:00\0")
    assert taken(exif_metadata(photo=[broken, DIGITIZED])) == Taken(LOCAL)
