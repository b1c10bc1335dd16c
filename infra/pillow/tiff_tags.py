"""Reads the tags of an EXIF block, which is a small TIFF file (EXIF 3.0, section 4.6).

Pillow's own reader drops a whole image file directory (IFD) for one bad tag. This one drops the
tag.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from PIL.ExifTags import GPSTAGS, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TagValue: TypeAlias = str | bytes | tuple[int | float | Fraction | None, ...]
"""A string for ASCII, bytes for UNDEFINED, otherwise numbers; None for n/0 and for NaN."""

# Those of TIFF, of BigTIFF, and of RAW files by Olympus.
_BYTE_ORDERS = {
    b"II*\0": "<",
    b"MM\0*": ">",
    b"II+\0": "<",
    b"MM\0+": ">",
    b"IIRO": "<",
    b"IIRS": "<",
    b"MMOR": ">",
}
_BIG_TIFF_MAGIC = (b"II+\0", b"MM\0+")
_ASCII, _RATIONAL, _UNDEFINED, _SIGNED_RATIONAL = 2, 5, 7, 10
_NUMBER_FORMATS = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    18: "Q",
}
_FIELD_TYPE_SIZES = {
    **{kind: struct.calcsize(letter) for kind, letter in _NUMBER_FORMATS.items()},
    _ASCII: 1,
    _UNDEFINED: 1,
    _RATIONAL: 8,
    _SIGNED_RATIONAL: 8,
}
_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825
_MAX_VALUE_BYTES = 4_096
_MAX_IFD_ENTRIES = 512


def read_tags(block: bytes) -> Mapping[str, TagValue]:
    """Return every readable tag by its standard name; values longer than 4 KiB are left out.

    Any bytes are accepted: anything but an EXIF block has no tags.
    """
    tiff = _tiff_block(block)
    return tiff.tags() if tiff else {}


def read_gps_tags(block: bytes) -> Mapping[str, TagValue]:
    """Return the tags of a block whose first directory has GPS tags."""
    tiff = _tiff_block(block)
    return tiff.gps_tags() if tiff else {}


def _tiff_block(block: bytes) -> _TiffBlock | None:
    starts = [block.find(header, 0, 16) for header in _BYTE_ORDERS]
    start = max(starts)
    return _TiffBlock(block[start:]) if start >= 0 else None


class _TiffBlock:
    """An EXIF block without its prefix: offsets count from the byte order mark."""

    def __init__(self, tiff: bytes) -> None:
        self._tiff = tiff
        self._order = _BYTE_ORDERS[tiff[:4]]
        self._is_big = tiff[:4] in _BIG_TIFF_MAGIC
        # Of an offset and a count, which an entry has behind four bytes.
        self._word = 8 if self._is_big else 4

    def gps_tags(self) -> Mapping[str, TagValue]:
        entries = self._entries(self._first_offset)
        return {GPSTAGS[tag]: value for tag, value in entries if tag in GPSTAGS}

    @property
    def _first_offset(self) -> int:
        return self._integer(8 if self._is_big else 4)

    def tags(self) -> Mapping[str, TagValue]:
        main = dict(self._entries(self._first_offset))
        tags: dict[str, TagValue] = {}
        for names, entries in (
            (TAGS, main),
            (TAGS, self._sub_ifd(main, _EXIF_POINTER)),
            (GPSTAGS, self._sub_ifd(main, _GPS_POINTER)),
        ):
            for tag, value in entries.items():
                if tag in names:
                    tags.setdefault(names[tag], value)
        return tags

    def _sub_ifd(self, main: Mapping[int, TagValue], pointer: int) -> dict[int, TagValue]:
        match main.get(pointer):
            case (int() as offset,):
                return dict(self._entries(offset))
        return {}

    def _integer(self, offset: int) -> int:
        return int.from_bytes(
            self._tiff[offset : offset + self._word], "little" if self._order == "<" else "big"
        )

    def _entries(self, offset: int) -> Iterator[tuple[int, TagValue]]:
        head = struct.Struct(self._order + ("Q" if self._is_big else "H"))
        layout = struct.Struct(self._order + ("HHQ" if self._is_big else "HHI"))
        entry_size = layout.size + self._word
        if not 0 < offset <= len(self._tiff) - head.size:
            return
        (count,) = head.unpack_from(self._tiff, offset)
        first = offset + head.size
        for entry in range(first, first + entry_size * min(count, _MAX_IFD_ENTRIES), entry_size):
            if entry + entry_size > len(self._tiff):
                return
            tag, kind, length = layout.unpack_from(self._tiff, entry)
            size = _FIELD_TYPE_SIZES.get(kind, 0) * length
            if 0 < size <= _MAX_VALUE_BYTES:
                # A value that fits is in the entry itself, a longer one at an offset.
                value = entry + layout.size
                start = value if size <= self._word else self._integer(value)
                raw = self._tiff[start : start + size]
                if len(raw) == size:
                    yield tag, self._value(kind, raw)

    def _value(self, kind: int, raw: bytes) -> TagValue:
        if kind == _ASCII:
            text = raw.partition(b"\0")[0]
            try:
                return text.decode()
            except UnicodeDecodeError:
                return text.decode("latin-1")
        if kind == _UNDEFINED:
            return raw
        if kind in (_RATIONAL, _SIGNED_RATIONAL):
            letter = "I" if kind == _RATIONAL else "i"
            numbers = struct.unpack(f"{self._order}{len(raw) // 4}{letter}", raw)
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            return tuple(Fraction(over, under) if under else None for over, under in pairs)
        numbers = struct.unpack(
            f"{self._order}{len(raw) // _FIELD_TYPE_SIZES[kind]}{_NUMBER_FORMATS[kind]}", raw
        )
        return tuple(number if math.isfinite(number) else None for number in numbers)
