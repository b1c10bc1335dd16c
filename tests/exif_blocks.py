"""Builds EXIF blocks byte by byte, and reads them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from infra.pillow.exif import read_exif
from infra.pillow.metadata import Metadata
from infra.pillow.tiff_tags import read_tags

if TYPE_CHECKING:
    from domain.entities.images import Exif

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


def block(
    main: list[Tag], sub_directories: dict[int, list[Tag]] | None = None, *, order: str = "<"
) -> bytes:
    """Return an EXIF block with a main directory and the sub-directories of its pointer tags."""
    tiff = bytearray(b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)

    def directory(tags: list[Tag]) -> None:
        values_offset = len(tiff) + 2 + 12 * len(tags) + 4
        tiff.extend(struct.pack(order + "H", len(tags)))
        values = b""
        for tag, letter, raw in tags:
            kind, size = TYPES[letter]
            tiff.extend(struct.pack(order + "HHI", tag, kind, len(raw) // size))
            if len(raw) <= 4:
                tiff.extend(raw.ljust(4, b"\0"))
            else:
                tiff.extend(struct.pack(order + "I", values_offset + len(values)))
                values += raw
        tiff.extend(bytes(4) + values)

    sub_directories = sub_directories or {}
    offset = 8 + 2 + 12 * (len(main) + len(sub_directories)) + 4
    offset += sum(len(raw) for _, _, raw in main if len(raw) > 4)
    pointers: list[Tag] = []
    for pointer, tags in sub_directories.items():
        pointers.append((pointer, "I", struct.pack(order + "I", offset)))
        offset += 2 + 12 * len(tags) + 4 + sum(len(raw) for _, _, raw in tags if len(raw) > 4)
    directory(main + pointers)
    for tags in sub_directories.values():
        directory(tags)
    return b"Exif\0\0" + bytes(tiff)


def rationals(*pairs: tuple[int, int], order: str = "<") -> bytes:
    return b"".join(struct.pack(order + "II", *pair) for pair in pairs)


def exif(main: list[Tag] | None = None, photo: list[Tag] | None = None) -> Exif | None:
    return read_exif(Metadata(read_tags(block(main or [], {0x8769: photo or []}))))


def some_exif(main: list[Tag] | None = None, photo: list[Tag] | None = None) -> Exif:
    found = exif(main, photo)
    assert found
    return found
