"""Converts EXIF tags to the domain's Exif."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.entities.images import MAX_EXIF_TAGS, Exif, GeoPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.pillow.tiff_tags import TagValue

UPRIGHT = 1

_MAX_TEXT_CHARACTERS = 1_000
_MAX_LISTED_BYTES = 8
# Tags that describe the layout of the file, and private data of cameras and programs.
_EXCLUDED_TAGS = """
ImageWidth ImageLength BitsPerSample Compression PhotometricInterpretation FillOrder StripOffsets
SamplesPerPixel RowsPerStrip StripByteCounts PlanarConfiguration Predictor ColorMap TileWidth
TileLength TileOffsets TileByteCounts SubIFDs ExtraSamples SampleFormat NewSubfileType SubfileType
SMinSampleValue SMaxSampleValue JPEGTables YCbCrSubSampling JpegIFOffset JpegIFByteCount JPEGProc
ReferenceBlackWhite TransferFunction PageNumber ExifOffset GPSInfo ExifInteroperabilityOffset
MakerNote MakerNoteSafety DNGPrivateData XMLPacket IptcNAAInfo ImageResources InterColorProfile
PrintImageMatching
"""
_DATE_TIME_PATTERN = re.compile(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)")
_UTC_OFFSET_PATTERN = re.compile(r"\s*([+-])(\d\d):?(\d\d)\s*")
_MAX_ISO = 2**31 - 1  # GraphQL's and PostgreSQL's Int
# The maximum of the 16-bit tag means that the sensitivity is in another tag (EXIF 3.0).
_ISO_OVERFLOW = 65_535
# The length of the character code in front of a UserComment.
_CHARACTER_CODE_BYTES = 8


def read_exif(tags: Mapping[str, TagValue]) -> Exif | None:
    """Convert tags. Unreadable values are left out; None if no tag is readable."""
    texts = _texts(tags)
    if not texts:
        return None
    return Exif(
        taken_at=_taken_at(tags, "Original") or _taken_at(tags, "Digitized"),
        camera_make=_text(tags.get("Make")),
        camera_model=_text(tags.get("Model")),
        lens=_text(tags.get("LensModel")),
        location=_location(tags),
        iso=_iso(tags),
        f_number=_positive(tags.get("FNumber")),
        exposure_seconds=_positive(tags.get("ExposureTime")),
        focal_length_mm=_positive(tags.get("FocalLength")),
        all=texts,
    )


def orientation_of(tags: Mapping[str, TagValue]) -> int:
    """Return the orientation, 1 to 8; any other value counts as upright."""
    number = int(_positive(tags.get("Orientation")) or UPRIGHT)
    return number if number in range(1, 9) else UPRIGHT


def _texts(tags: Mapping[str, TagValue]) -> dict[str, str]:
    excluded = frozenset(_EXCLUDED_TAGS.split())
    named = ((name, _text(value)) for name, value in tags.items() if name not in excluded)
    readable = [(name, text) for name, text in named if text is not None]
    return dict(readable[:MAX_EXIF_TAGS])


def _text(value: TagValue | None) -> str | None:
    """Return a value as text without control characters; None for an empty or unreadable value."""
    match value:
        case None:
            return None
        case str():
            text = value
        case bytes():
            text = _undefined_text(value)
        case _ if None in value:
            return None
        case _:
            text = ", ".join(_number_text(number) for number in value if number is not None)
    printable = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    return printable.strip()[:_MAX_TEXT_CHARACTERS] or None


def _undefined_text(value: bytes) -> str:
    """Return a value of the type UNDEFINED: ASCII as text, a few other bytes as numbers."""
    if value[:_CHARACTER_CODE_BYTES] in {b"ASCII\0\0\0", bytes(8)}:
        value = value[_CHARACTER_CODE_BYTES:]
    text = value.strip(b"\0 ")
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    return ", ".join(str(byte) for byte in value) if len(value) <= _MAX_LISTED_BYTES else ""


def _number_text(number: float | Fraction) -> str:
    if isinstance(number, Fraction) and number.numerator == 1:
        return str(number)
    return f"{float(number):.10g}"


def _positive(value: TagValue | None) -> float | None:
    """Return a positive, finite number, of any of the types that cameras use for it."""
    match value:
        case (int() | float() | Fraction() as number, *_):
            pass
        case str():
            try:
                number = float(value)
            except ValueError:
                return None
        case _:
            return None
    return float(number) if number > 0 and math.isfinite(number) else None


def _iso(tags: Mapping[str, TagValue]) -> int | None:
    numbers = [
        _positive(tags.get(name))
        for name in ("ISOSpeedRatings", "RecommendedExposureIndex", "StandardOutputSensitivity")
    ]
    found = [int(number) for number in numbers if number and number != _ISO_OVERFLOW]
    return found[0] if found and 0 < found[0] <= _MAX_ISO else None


def _taken_at(tags: Mapping[str, TagValue], which: str) -> datetime | None:
    match = _DATE_TIME_PATTERN.match(_text(tags.get(f"DateTime{which}")) or "")
    if not match:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    fraction = re.match(r"\d{1,6}", _text(tags.get(f"SubsecTime{which}")) or "0")
    microseconds = int(fraction[0].ljust(6, "0")) if fraction else 0
    zone = _utc_offset(tags, which)
    try:
        local = datetime(year, month, day, hour, minute, second, microseconds, zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _utc_offset(tags: Mapping[str, TagValue], which: str) -> timezone:
    """Return the time zone of the camera's clock; UTC without a readable offset."""
    match = _UTC_OFFSET_PATTERN.fullmatch(_text(tags.get(f"OffsetTime{which}")) or "")
    if not match:
        return UTC
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(offset if sign == "+" else -offset) if offset < timedelta(days=1) else UTC


def _location(tags: Mapping[str, TagValue]) -> GeoPoint | None:
    latitude = _degrees(tags, "GPSLatitude", signs={"N": 1, "S": -1}, maximum=90)
    longitude = _degrees(tags, "GPSLongitude", signs={"E": 1, "W": -1}, maximum=180)
    if latitude is None or longitude is None:
        return None
    return GeoPoint(latitude, longitude)


def _degrees(
    tags: Mapping[str, TagValue], name: str, *, signs: Mapping[str, int], maximum: int
) -> float | None:
    parts, reference = tags.get(name), _text(tags.get(f"{name}Ref")) or ""
    if not isinstance(parts, tuple) or reference[:1].upper() not in signs:
        return None
    degrees = _decimal_degrees(parts[:3])
    if degrees is None or not 0 <= degrees <= maximum:
        return None
    return signs[reference[:1].upper()] * degrees


def _decimal_degrees(parts: Iterable[float | Fraction | None]) -> float | None:
    """Return degrees, minutes and seconds as degrees."""
    total = 0.0
    for exponent, part in enumerate(parts):
        if part is None:
            return None
        total += float(part) / 60**exponent
    return total
