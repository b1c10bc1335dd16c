"""Reads when a picture was taken: the local time, and the instant where the offset is known."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from timezonefinder import TimezoneFinder

    from domain.entities.images import GeoPoint
    from infra.pillow.metadata import Metadata
    from infra.pillow.tiff_tags import TagValue

_DATE_PATTERN = re.compile(r"\s*(\d{4})\D?(\d\d)(?:\D?(\d\d))?(?!\d)")
_TIME_PATTERN = re.compile(r"[\sT:]*(\d\d)\D?(\d\d)(?:\D?(\d\d)(?:[.,](\d{1,9}))?)?")
_OFFSET_PATTERN = re.compile(r"\s*(?:(Z)|([+-])(\d\d):?(\d\d))\s*", re.IGNORECASE)
_XMP_TIMES = (
    *("exif:DateTimeOriginal", "photoshop:DateCreated"),
    *("xmp:CreateDate", "exif:DateTimeDigitized"),
)
_PNG_TIMES = ("exif:DateTimeOriginal", "Creation Time", "creation time")
_OFFSET_TAGS = ("OffsetTimeOriginal", "OffsetTimeDigitized", "OffsetTime")
# Offsets of all time zones are multiples of a quarter of an hour; a camera's clock is a bit wrong.
_OFFSET_STEP = timedelta(minutes=15)
_MAX_CLOCK_ERROR = timedelta(minutes=5)
_MIN_OFFSET, _MAX_OFFSET = timedelta(hours=-12), timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Taken:
    """When a picture was taken."""

    local: datetime | None = None
    """Without an offset."""
    instant: datetime | None = None
    """In UTC; None where the offset is unknown."""


@dataclass(frozen=True, slots=True)
class _ClockTime:
    local: datetime
    offset: timezone | None = None

    @property
    def taken(self) -> Taken:
        # An instant may be outside the years of datetime.
        with suppress(OverflowError):
            if self.offset is not None:
                instant = self.local.replace(tzinfo=self.offset).astimezone(UTC)
                return Taken(self.local, instant)
        return Taken(self.local)


def read_taken(metadata: Metadata, place: GeoPoint | None, default_zone: str | None) -> Taken:
    """Return when a picture was taken, by the first of its dates that is readable.

    The offset comes from the date itself, its tag, another date of the file with the same local
    time, GPS, the place, or ``default_zone``, the name of a time zone.
    """
    times = [time for time in _clock_times(metadata) if time is not None]
    gps = _gps_instant(metadata.tags)
    if not times:
        if gps is None:
            return Taken()
        zone = _zone_at(place) or _zone(default_zone)
        return Taken(gps.astimezone(zone or UTC).replace(tzinfo=None), gps)
    first = times[0]
    same = (time.offset for time in times if time.offset and time.local == first.local)
    offset = next(same, None) or _written_offset(metadata.tags) or _offset_by(gps, first.local)
    if offset is None and (zone := _zone_at(place) or _zone(default_zone)):
        return _taken_in(zone, first.local)
    return replace(first, offset=offset).taken


def _clock_times(metadata: Metadata) -> Iterator[_ClockTime | None]:
    """Yield the dates of a file, that of the exposure first."""
    tags, xmp, iptc = metadata.tags, metadata.xmp, metadata.iptc
    for which in ("Original", "Digitized"):
        yield _of_exif(tags, f"DateTime{which}", which)
    yield from (_parse(value) for name in _XMP_TIMES for value in xmp.get(name, ())[:1])
    for date in iptc.get("DateCreated", ())[:1]:
        yield _parse(f"{date} {next(iter(iptc.get('TimeCreated', ())), '')}")
    yield from (_parse(metadata.texts[name]) for name in _PNG_TIMES if name in metadata.texts)
    yield _of_exif(tags, "DateTime", "")
    yield from (_parse(value) for value in xmp.get("xmp:ModifyDate", ())[:1])


def _of_exif(tags: Mapping[str, TagValue], name: str, which: str) -> _ClockTime | None:
    text = tags.get(name)
    time = _parse(text) if isinstance(text, str) else None
    if time is None:
        return None
    if not time.local.microsecond:
        fraction = tags.get(f"SubsecTime{which}")
        digits = re.match(r"\s*(\d{1,6})", fraction) if isinstance(fraction, str) else None
        microseconds = int(digits[1].ljust(6, "0")) if digits else 0
        time = replace(time, local=time.local.replace(microsecond=microseconds))
    return replace(time, offset=time.offset or _parse_offset(tags.get(f"OffsetTime{which}")))


def _parse(text: str) -> _ClockTime | None:
    """Parse a date of EXIF, ISO 8601, IPTC or RFC 1123. A missing or wrong time is midnight."""
    match = _DATE_PATTERN.match(text)
    if not match:
        return _parse_mail_date(text)
    year, month, day = (int(part or 1) for part in match.groups())
    try:
        date = datetime(year, month, day or 1)  # noqa: DTZ001 - a clock's
    except ValueError:
        return None
    time = _TIME_PATTERN.match(text, match.end()) if match[3] else None
    if not time:
        return _ClockTime(date)
    hour, minute, second = (int(part or 0) for part in time.groups()[:3])
    microsecond = int((time[4] or "0")[:6].ljust(6, "0"))
    with suppress(ValueError):
        local = date.replace(
            hour=hour, minute=minute, second=min(second, 59), microsecond=microsecond
        )
        return _ClockTime(local, _parse_offset(text[time.end() :]))
    return _ClockTime(date)


def _parse_mail_date(text: str) -> _ClockTime | None:
    with suppress(ValueError, OverflowError, TypeError, IndexError):
        time = parsedate_to_datetime(text)
        offset = time.utcoffset()
        return _ClockTime(time.replace(tzinfo=None), None if offset is None else timezone(offset))
    return None


def _parse_offset(text: TagValue | None) -> timezone | None:
    match = _OFFSET_PATTERN.fullmatch(text.rstrip("\0")) if isinstance(text, str) else None
    if not match:
        return None
    if match[1]:
        return UTC
    offset = timedelta(hours=int(match[3]), minutes=int(match[4]))
    return timezone(offset if match[2] == "+" else -offset) if offset < timedelta(days=1) else None


def _written_offset(tags: Mapping[str, TagValue]) -> timezone | None:
    return next(filter(None, (_parse_offset(tags.get(name)) for name in _OFFSET_TAGS)), None)


def _gps_instant(tags: Mapping[str, TagValue]) -> datetime | None:
    date, time = tags.get("GPSDateStamp"), tags.get("GPSTimeStamp")
    day = _parse(date) if isinstance(date, str) else None
    if day is None or not isinstance(time, tuple) or None in time or len(time) < 3:  # noqa: PLR2004 - hours, minutes, seconds
        return None
    hours, minutes, seconds = (float(part or 0) for part in time[:3])
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 61):  # noqa: PLR2004 - a clock
        return None
    midnight = day.local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    with suppress(OverflowError):
        return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return None


def _offset_by(gps: datetime | None, local: datetime) -> timezone | None:
    """Return the offset of a local time from the GPS time of the same moment."""
    if gps is None:
        return None
    difference = local - gps.replace(tzinfo=None)
    steps = round(difference / _OFFSET_STEP)
    offset = steps * _OFFSET_STEP
    is_plausible = _MIN_OFFSET <= offset <= _MAX_OFFSET
    # A fix may be hours old: then the difference is not near a multiple, or is left to chance.
    return (
        timezone(offset) if is_plausible and abs(difference - offset) <= _MAX_CLOCK_ERROR else None
    )


def _taken_in(zone: ZoneInfo, local: datetime) -> Taken:
    with suppress(OverflowError):
        return Taken(local, local.replace(tzinfo=zone).astimezone(UTC))
    return Taken(local)


def _zone_at(place: GeoPoint | None) -> ZoneInfo | None:
    if place is None:
        return None
    return _zone(_finder().timezone_at(lng=place.longitude, lat=place.latitude))


def _zone(name: str | None) -> ZoneInfo | None:
    with suppress(ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(name) if name else None
    return None


@cache
def _finder() -> TimezoneFinder:
    # Its data take a moment to load, and most pictures do without.
    from timezonefinder import TimezoneFinder  # noqa: PLC0415

    return TimezoneFinder(in_memory=False)
