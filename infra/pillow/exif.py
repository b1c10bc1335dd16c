"""Converts the metadata of a file to the domain's Exif."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.entities.images import MAX_EXIF_TAGS, Exif
from infra.pillow.places import read_place
from infra.pillow.taken import Taken, read_taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.pillow.metadata import Metadata
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
_MAX_ISO = 2**31 - 1  # GraphQL's and PostgreSQL's Int
# The maximum of the 16-bit tag means that the sensitivity is in another tag (EXIF 3.0).
_ISO_OVERFLOW = 65_535
# The length of the character code in front of a UserComment.
_CHARACTER_CODE_BYTES = 8


def read_exif(metadata: Metadata, *, default_zone: str | None = None) -> Exif | None:
    """Convert metadata. Unreadable values are left out; None if nothing is readable.

    ``default_zone`` is the time zone of pictures that do not tell theirs.
    """
    tags = metadata.tags
    texts = _texts(tags)
    place = read_place(metadata)
    taken = read_taken(metadata, place, default_zone)
    if not texts and place is None and taken == Taken():
        return None
    return Exif(
        taken_at=taken.instant,
        taken_at_local=taken.local,
        camera_make=_text(tags.get("Make")),
        camera_model=_text(tags.get("Model")),
        lens=_text(tags.get("LensModel")),
        location=place,
        iso=_iso(tags),
        f_number=_positive(tags.get("FNumber")),
        exposure_seconds=_positive(tags.get("ExposureTime")),
        focal_length_mm=_positive(tags.get("FocalLength")),
        all=texts,
    )


def orientation_of(metadata: Metadata) -> int:
    """Return the orientation, 1 to 8; any other value counts as upright."""
    written = metadata.tags.get("Orientation") or metadata.xmp.get("tiff:Orientation", ("",))[0]
    number = int(_positive(written) or UPRIGHT)
    return number if number in range(1, 9) else UPRIGHT


def _texts(tags: Mapping[str, TagValue]) -> dict[str, str]:
    excluded = frozenset(_EXCLUDED_TAGS.split())
    named = ((name, _text_of(name, tags)) for name in tags if name not in excluded)
    readable = [(name, text) for name, text in named if text is not None]
    return dict(readable[:MAX_EXIF_TAGS])


def _text_of(name: str, tags: Mapping[str, TagValue]) -> str | None:
    value = tags[name]
    if name.startswith("XP") and isinstance(value, tuple):
        # Text of Windows, as a list of bytes.
        units = bytes(int(byte or 0) & 0xFF for byte in value)
        return _text(units.decode("utf-16-le", errors="replace").partition("\0")[0])
    return _text(value)


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
    """Return a value of the type UNDEFINED: text as text, a few other bytes as numbers."""
    code, rest = value[:_CHARACTER_CODE_BYTES], value[_CHARACTER_CODE_BYTES:]
    if code == b"UNICODE\0":
        return _utf16_text(rest)
    if code == b"JIS\0\0\0\0\0":
        return rest.decode("iso2022_jp", errors="replace").partition("\0")[0]
    has_code = code in {b"ASCII\0\0\0", bytes(_CHARACTER_CODE_BYTES)}
    if has_code:
        value = rest
    with suppress(UnicodeDecodeError):
        text = value.strip(b"\0 ").decode()
        # A few bytes that happen to be valid UTF-8 are rather numbers.
        is_text = has_code or text.isascii() or len(value) > _MAX_LISTED_BYTES
        if is_text and all(letter.isprintable() or letter in "\n\r\t" for letter in text):
            return text
    return ", ".join(str(byte) for byte in value) if len(value) <= _MAX_LISTED_BYTES else ""


def _utf16_text(value: bytes) -> str:
    """Decode UTF-16 of either byte order: programs write their own, whatever the file's."""
    texts = [
        value[: len(value) // 2 * 2].decode(f"utf-16-{order}", errors="replace").strip("\ufeff\0 ")
        for order in ("le", "be")
    ]
    return min(texts, key=_strangeness)


def _strangeness(text: str) -> int:
    """Count letters that wrongly ordered bytes make: unassigned ones, and multiples of 256."""
    return sum(
        not letter.isprintable() or letter == "\ufffd" or ord(letter) & 0xFF == 0 for letter in text
    )


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
