"""Reads where a picture was taken, from GPS tags or from XMP."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from domain.entities.images import GeoPoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.pillow.metadata import Metadata
    from infra.pillow.tiff_tags import TagValue

_MAXIMA = {"GPSLatitude": 90, "GPSLongitude": 180}
_SIGNS = {"N": 1, "E": 1, "S": -1, "W": -1}
# “52,30.5N” and “52,30,30N” in XMP; some programs write decimal degrees there, or text into EXIF.
_COORDINATE_PATTERN = re.compile(
    r"\s*([+-]?\d{1,3}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?\s*([NSEW]?)\s*",
    re.IGNORECASE,
)


def read_place(metadata: Metadata) -> GeoPoint | None:
    """Return the place. 0, 0 is not a place: cameras write it where they do not know the place."""
    for coordinates in (_of_exif(metadata.tags), _of_xmp(metadata.xmp)):
        latitude, longitude = coordinates
        if latitude is not None and longitude is not None and (latitude or longitude):
            return GeoPoint(latitude, longitude)
    return None


def _of_exif(tags: Mapping[str, TagValue]) -> Sequence[float | None]:
    return [
        _within(_signed(_degrees(tags.get(name)), tags.get(f"{name}Ref")), maximum)
        for name, maximum in _MAXIMA.items()
    ]


def _of_xmp(xmp: Mapping[str, tuple[str, ...]]) -> Sequence[float | None]:
    return [
        _within(_degrees(xmp.get(f"exif:{name}", ("",))[0]), maximum)
        for name, maximum in _MAXIMA.items()
    ]


def _within(degrees: float | None, maximum: int) -> float | None:
    return degrees if degrees is not None and abs(degrees) <= maximum else None


def _signed(degrees: float | None, reference: TagValue | None) -> float | None:
    """Apply a hemisphere. Without a readable one, the number keeps its sign."""
    letter = reference.strip()[:1].upper() if isinstance(reference, str) else ""
    return degrees if degrees is None or letter not in _SIGNS else _SIGNS[letter] * abs(degrees)


def _degrees(value: TagValue | None) -> float | None:
    """Return degrees, minutes and seconds as degrees. Unreadable minutes and seconds count as 0."""
    if isinstance(value, str):
        return _degrees_of_text(value)
    if not isinstance(value, tuple) or not value or value[0] is None:
        return None
    parts = [float(part or 0) for part in value[:3]]
    if not all(map(math.isfinite, parts)):
        return None
    sign = -1 if any(part < 0 for part in parts) else 1
    return sign * _sum_of_sixtieths([abs(part) for part in parts])


def _degrees_of_text(text: str) -> float | None:
    match = _COORDINATE_PATTERN.fullmatch(text)
    if not match:
        return None
    whole, minutes, seconds, letter = match.groups()
    parts = [abs(float(whole)), float(minutes or 0), float(seconds or 0)]
    sign = _SIGNS[letter.upper()] if letter else (-1 if whole.startswith("-") else 1)
    return sign * _sum_of_sixtieths(parts)


def _sum_of_sixtieths(parts: Sequence[float]) -> float:
    return math.fsum(part / 60.0**exponent for exponent, part in enumerate(parts))
