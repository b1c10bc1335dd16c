"""What the camera wrote into a file: EXIF tags made into the domain's nouns."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.entities.images import Exif, GeoPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.pillow.tiff_tags import Value

UPRIGHT = 1

_MOST_TAGS = 250
_LONGEST_TEXT = 1_000
_LONGEST_OPAQUE = 8
# How the bytes of pixels lie in the file, and what other programs keep there for themselves.
_LEFT_OUT = """
ImageWidth ImageLength BitsPerSample Compression PhotometricInterpretation FillOrder StripOffsets
SamplesPerPixel RowsPerStrip StripByteCounts PlanarConfiguration Predictor ColorMap TileWidth
TileLength TileOffsets TileByteCounts SubIFDs ExtraSamples SampleFormat NewSubfileType SubfileType
SMinSampleValue SMaxSampleValue JPEGTables YCbCrSubSampling JpegIFOffset JpegIFByteCount JPEGProc
ReferenceBlackWhite TransferFunction PageNumber ExifOffset GPSInfo ExifInteroperabilityOffset
MakerNote MakerNoteSafety DNGPrivateData XMLPacket IptcNAAInfo ImageResources InterColorProfile
PrintImageMatching
"""
_TIME = re.compile(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)")
_OFFSET = re.compile(r"\s*([+-])(\d\d):?(\d\d)\s*")
_LARGEST_INT = 2**31 - 1
_ISO_IS_ELSEWHERE = 65_535
_CHARSET_BYTES = 8


def read_exif(tags: Mapping[str, Value]) -> Exif | None:
    """Make sense of tags. What cannot be understood is left out; None when nothing is there."""
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


def orientation_of(tags: Mapping[str, Value]) -> int:
    """Return the orientation, 1 to 8; what is no orientation is upright."""
    number = int(_positive(tags.get("Orientation")) or UPRIGHT)
    return number if number in range(1, 9) else UPRIGHT


def _texts(tags: Mapping[str, Value]) -> dict[str, str]:
    left_out = frozenset(_LEFT_OUT.split())
    named = ((name, _text(value)) for name, value in tags.items() if name not in left_out)
    readable = [(name, text) for name, text in named if text is not None]
    return dict(readable[:_MOST_TAGS])


def _text(value: Value | None) -> str | None:
    """Return a value as people write it, without NUL and spaces around it; None for nothing."""
    match value:
        case None:
            return None
        case str():
            text = value
        case bytes():
            text = _opaque(value)
        case _ if None in value:
            return None
        case _:
            text = ", ".join(_number_text(number) for number in value if number is not None)
    printable = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    return printable.strip()[:_LONGEST_TEXT] or None


def _opaque(value: bytes) -> str:
    if value[:_CHARSET_BYTES] in {b"ASCII\0\0\0", bytes(8)}:
        value = value[_CHARSET_BYTES:]
    text = value.strip(b"\0 ")
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    return ", ".join(str(byte) for byte in value) if len(value) <= _LONGEST_OPAQUE else ""


def _number_text(number: float | Fraction) -> str:
    if isinstance(number, Fraction) and number.numerator == 1:
        return str(number)
    return f"{float(number):.10g}"


def _positive(value: Value | None) -> float | None:
    """Return a positive, finite number, however the camera spelt it."""
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


def _iso(tags: Mapping[str, Value]) -> int | None:
    numbers = [
        _positive(tags.get(name))
        for name in ("ISOSpeedRatings", "RecommendedExposureIndex", "StandardOutputSensitivity")
    ]
    found = [int(number) for number in numbers if number and number != _ISO_IS_ELSEWHERE]
    return found[0] if found and 0 < found[0] <= _LARGEST_INT else None


def _taken_at(tags: Mapping[str, Value], which: str) -> datetime | None:
    written = _TIME.match(_text(tags.get(f"DateTime{which}")) or "")
    if not written:
        return None
    year, month, day, hour, minute, second = map(int, written.groups())
    fraction = re.match(r"\d{1,6}", _text(tags.get(f"SubsecTime{which}")) or "0")
    micros = int(fraction[0].ljust(6, "0")) if fraction else 0
    zone = _offset(tags, which)
    try:
        clock = datetime(year, month, day, hour, minute, second, micros, zone)
        return clock.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _offset(tags: Mapping[str, Value], which: str) -> timezone:
    """Return the zone of the camera's clock; without a readable offset it is taken as UTC."""
    written = _OFFSET.fullmatch(_text(tags.get(f"OffsetTime{which}")) or "")
    if not written:
        return UTC
    sign, hours, minutes = written.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(ahead if sign == "+" else -ahead) if ahead < timedelta(days=1) else UTC


def _location(tags: Mapping[str, Value]) -> GeoPoint | None:
    latitude = _degrees(tags, "GPSLatitude", signs={"N": 1, "S": -1}, most=90)
    longitude = _degrees(tags, "GPSLongitude", signs={"E": 1, "W": -1}, most=180)
    if latitude is None or longitude is None:
        return None
    return GeoPoint(latitude, longitude)


def _degrees(
    tags: Mapping[str, Value], name: str, *, signs: Mapping[str, int], most: int
) -> float | None:
    parts, reference = tags.get(name), _text(tags.get(f"{name}Ref")) or ""
    if not isinstance(parts, tuple) or reference[:1].upper() not in signs:
        return None
    degrees = _sum_of_sixtieths(parts[:3])
    if degrees is None or not 0 <= degrees <= most:
        return None
    return signs[reference[:1].upper()] * degrees


def _sum_of_sixtieths(parts: Iterable[float | Fraction | None]) -> float | None:
    total = 0.0
    for place, part in enumerate(parts):
        if part is None:
            return None
        total += float(part) / 60**place
    return total
