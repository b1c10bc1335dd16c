"""RAW files of cameras: their kind, their tags, and the largest JPEG preview in them.

A preview is found by its own markers, whatever container it is in. Nothing of the sensor's data is
decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import UnsupportedFormat
from infra.pillow.tiff_tags import read_gps_tags, read_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.pillow.tiff_tags import TagValue

RAW_CONTENT_TYPES = {
    "DNG": "image/x-adobe-dng",
    "CR2": "image/x-canon-cr2",
    "CR3": "image/x-canon-cr3",
    "NEF": "image/x-nikon-nef",
    "ARW": "image/x-sony-arw",
    "RAF": "image/x-fuji-raf",
    "ORF": "image/x-olympus-orf",
    "RAW": "image/x-dcraw",
}
_TIFF_MAGIC = (b"II*\0", b"MM\0*")
_OLYMPUS_MAGIC = (b"IIRO", b"IIRS", b"MMOR")
_FUJIFILM_MAGIC = b"FUJIFILMCCD-RAW"
_KINDS_OF_MAKERS = {"NIKON": "NEF", "SONY": "ARW", "OLYMPUS": "ORF", "OM DIGITAL": "ORF"}
# Values of PhotometricInterpretation for the data of a sensor.
_SENSOR_DATA = {(32_803,), (34_892,)}
_REDUCED = (1,)
# A smaller preview shows too little of a photo, such as the 160 x 120 in the first directory.
_MIN_PREVIEW_SIDE = 400
_MAX_JPEGS_TRIED = 256
_MAX_SEGMENTS = 128
_MAX_CR3_HEADER_BYTES = 1 << 18
_START_OF_IMAGE = b"\xff\xd8\xff"
_START_OF_SCAN = 0xDA
# Baseline, extended and progressive frames; the data of sensors is lossless JPEG (0xC3).
_FRAMES = {0xC0, 0xC1, 0xC2}
_PREVIEW_BITS = 8


@dataclass(frozen=True, slots=True)
class RawFile:
    """A RAW file."""

    content_type: str
    preview: bytes
    """A JPEG, with what follows it in the file."""
    tags: Mapping[str, TagValue]


def read_raw(data: bytes) -> RawFile | None:
    """Return a RAW file; None for any other. Raises UnsupportedFormat without a usable preview."""
    kind, tags = _kind_and_tags(data)
    if kind is None:
        return None
    size, start = max(_previews(data), default=(0, 0), key=lambda found: found[0])
    if size < _MIN_PREVIEW_SIDE**2 // 2:
        raise UnsupportedFormat(
            f"This {kind} file has no preview that is large enough; export it as JPEG or TIFF, and "
            "send that."
        )
    return RawFile(RAW_CONTENT_TYPES[kind], data[start:], tags)


def _kind_and_tags(data: bytes) -> tuple[str | None, Mapping[str, TagValue]]:
    """Return the kind of a RAW file, None for any other, and the tags of its container."""
    if data.startswith(_FUJIFILM_MAGIC):
        return "RAF", {}
    if data[4:12] == b"ftypcrx ":
        return "CR3", _tags_of_cr3(data)
    if data.startswith(_OLYMPUS_MAGIC):
        return "ORF", read_tags(data)
    if data.startswith(_TIFF_MAGIC):
        tags = read_tags(data)
        return _kind_of_tiff(data, tags), tags
    return None, {}


def _kind_of_tiff(data: bytes, tags: Mapping[str, TagValue]) -> str | None:
    if "DNGVersion" in tags:
        return "DNG"
    if data[8:10] == b"CR":
        return "CR2"
    is_reduced = tags.get("NewSubfileType") == _REDUCED and "SubIFDs" in tags
    if is_reduced or tags.get("PhotometricInterpretation") in _SENSOR_DATA:
        maker = str(tags.get("Make", "")).upper()
        kinds = (kind for name, kind in _KINDS_OF_MAKERS.items() if maker.startswith(name))
        return next(kinds, "RAW")
    return None


def _tags_of_cr3(data: bytes) -> Mapping[str, TagValue]:
    """Return the tags of the boxes CMT1 (the camera), CMT2 (the exposure) and CMT4 (GPS)."""
    tags: dict[str, TagValue] = {}
    for name, read in ((b"CMT1", read_tags), (b"CMT2", read_tags), (b"CMT4", read_gps_tags)):
        start = data.find(name, 0, _MAX_CR3_HEADER_BYTES)
        if start >= 4:  # noqa: PLR2004 - the size of a box precedes its name
            size = int.from_bytes(data[start - 4 : start], "big")
            tags = {**read(data[start + 4 : start - 4 + size]), **tags}
    return tags


def _previews(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the pixels and the start of each JPEG in a file."""
    start = -1
    for _ in range(_MAX_JPEGS_TRIED):
        start = data.find(_START_OF_IMAGE, start + 1)
        if start < 0:
            return
        if pixels := _pixels_of_jpeg(data, start):
            yield pixels, start


def _pixels_of_jpeg(data: bytes, start: int) -> int:
    """Return the pixels of a JPEG by its frame header; 0 for anything else."""
    position = start + 2
    for _ in range(_MAX_SEGMENTS):
        if position + 9 > len(data) or data[position] != 0xFF:  # noqa: PLR2004 - a marker
            return 0
        marker, size = struct.unpack_from(">BH", data, position + 1)
        if marker in _FRAMES:
            bits, height, width = struct.unpack_from(">BHH", data, position + 4)
            return int(width * height) if bits == _PREVIEW_BITS else 0
        if marker == _START_OF_SCAN or marker < 0xC0:  # noqa: PLR2004 - the first marker
            return 0
        position += 2 + size
    return 0
