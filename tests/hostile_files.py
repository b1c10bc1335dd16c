"""Generates picture files that attack a decoder, and names the codes of the right refusals."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from tests.exif_blocks import block, rationals
from tests.pictures import FORMATS, encoded, flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exif_blocks import Tag

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HOSTILE_NAMES = {
    "../../etc/passwd": "passwd",
    "..\\..\\boot.ini": "boot.ini",
    "/etc/cron.d/a.jpg": "a.jpg",
    "\u202egpj.exe": "gpj.exe",
    "\u2066a\u200f.jpg": "a.jpg",
    f"{'x' * 300}.jpg": f"{'x' * 251}.jpg",
    "a/..": "..",
    " ": "unnamed",
}
"""Names of files, and how they are shown."""

GIF_FRAME = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file, and the code of its refusal; None for a file that is harmless and accepted."""

    what: str
    data: bytes
    code: str | None
    name: str = "picture.jpg"


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width: int, height: int, *chunks: bytes, rows: int | None = None) -> bytes:
    """Return a black PNG in grey, with ``chunks`` before its pixels, and fewer rows if asked."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = bytes(1 + width)
    rows = height if rows is None else rows
    pixels = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    ends = [chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"".join([PNG_SIGNATURE, chunk(b"IHDR", header), *chunks, *ends])


def progressive_jpeg(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    data = encoded(Image.new("L", (4_000, 4_000), 90), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * scans + data[-2:]


def gif(frames: int) -> bytes:
    """Return a GIF of 1 x 1 pixel."""
    head = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
    return head + GIF_FRAME * frames + b"\x3b"


def jpeg_with_exif(main: list[Tag], subs: dict[int, list[Tag]] | None = None) -> bytes:
    """Return a small JPEG with these tags."""
    return encoded(flag(), "JPEG", exif=block(main, subs))


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace a part that must be there."""
    assert old in data
    return data.replace(old, new, 1)


def floods() -> Iterator[HostileFile]:
    """Yield files of more pixels or frames than are accepted."""
    too_many = "TOO_MANY_PIXELS"
    yield HostileFile("a PNG of 60,000 x 60,000", png(60_000, 60_000, rows=0), too_many)
    yield HostileFile("a PNG of 40,000,000 x 1", png(40_000_000, 1), too_many)
    yield HostileFile("a PNG of 1 x 1,100", png(1, 1_100), too_many)
    yield HostileFile("a PNG of 121 megapixels", png(11_000, 11_000, rows=0), too_many)
    yield HostileFile(
        "a GIF of 65,535 x 65,535", replaced(gif(1), b"a\1\0\1\0", b"a" + b"\xff" * 4), too_many
    )
    bmp = encoded(flag((8, 8)), "BMP")
    yield HostileFile(
        "a BMP of 60,000 x 60,000",
        bmp[:18] + struct.pack("<ii", 60_000, 60_000) + bmp[26:],
        too_many,
    )
    yield HostileFile("a GIF of 1,200 frames", gif(1_200), too_many)
    frames = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    yield HostileFile("a PNG of two billion frames", png(8, 8, frames), too_many)


def lies() -> Iterator[HostileFile]:
    """Yield files whose header or structure lies."""
    invalid = "INVALID_CONTENT"
    yield HostileFile("a PNG with one row of 2,000", png(2_000, 2_000, rows=1), None)
    jpeg = encoded(flag((64, 64)), "JPEG")
    size = jpeg.index(b"\xff\xc0") + 5
    yield HostileFile(
        "a JPEG of 64 x 64 that claims 4,000 x 4,000",
        jpeg[:size] + struct.pack(">HH", 4_000, 4_000) + jpeg[size + 4 :],
        None,
    )
    bmp = encoded(flag((8, 8)), "BMP")
    yield HostileFile(
        "a BMP of 8 x 8 that claims 5,000 x 5,000",
        bmp[:18] + struct.pack("<ii", 5_000, 5_000) + bmp[26:],
        invalid,
    )
    yield HostileFile("a JPEG of 10,000 scans", progressive_jpeg(10_000), invalid)
    yield HostileFile("the header of an AVIF", b"\0\0\0\x20ftypavif" + bytes(20), invalid)
    tiff = encoded(flag((8, 8)), "TIFF")
    (first,) = struct.unpack_from("<I", tiff, 4)
    (entries,) = struct.unpack_from("<H", tiff, first)
    end = first + 2 + 12 * entries
    loop = tiff[:end] + struct.pack("<I", first) + tiff[end + 4 :]
    yield HostileFile("a TIFF whose directory follows itself", loop, None)
    yield HostileFile("an empty file", b"", invalid)


def text_chunks() -> Iterator[HostileFile]:
    """Yield PNGs with texts that expand."""
    bomb = zlib.compress(bytes(20_000_000), 1)
    invalid = "INVALID_CONTENT"
    yield HostileFile("20 MB in a zTXt chunk", png(8, 8, chunk(b"zTXt", b"a\0\0" + bomb)), invalid)
    itxt = b"a\0\1\0\0\0" + bomb
    yield HostileFile("20 MB in an iTXt chunk", png(8, 8, chunk(b"iTXt", itxt)), invalid)
    yield HostileFile("20 MB in a profile", png(8, 8, chunk(b"iCCP", b"a\0\0" + bomb)), invalid)
    megabyte = b"a\0\0" + zlib.compress(bytes(1_000_000), 1)
    yield HostileFile("100 texts of 1 MB", png(8, 8, *[chunk(b"zTXt", megabyte)] * 100), invalid)


def exif() -> Iterator[HostileFile]:
    """Yield pictures whose EXIF is not what it should be."""
    words = b"words in place of numbers\0"
    gps: list[Tag] = [(1, "s", b"N\0"), (2, "s", words), (3, "s", b"E\0"), (4, "s", words)]
    photo: list[Tag] = [(33434, "s", words), (34855, "s", words), (36867, "I", bytes(8))]
    texts: list[Tag] = [(274, "s", words), (271, "I", bytes(8))]
    yield HostileFile(
        "strings in place of numbers", jpeg_with_exif(texts, {0x8769: photo, 0x8825: gps}), None
    )
    zero = rationals((0, 0), (0, 0), (0, 0))
    yield HostileFile(
        "rationals of 0/0",
        jpeg_with_exif(
            [(282, "R", zero[:8])],
            {
                0x8769: [(33434, "R", zero[:8]), (33437, "R", zero[:8])],
                0x8825: [(1, "s", b"N\0"), (2, "R", zero), (3, "s", b"E\0"), (4, "R", zero)],
            },
        ),
        None,
    )
    loop: list[Tag] = [(0x8769, "I", struct.pack("<I", 8)), (0x8825, "I", struct.pack("<I", 8))]
    yield HostileFile("EXIF directories in a loop", jpeg_with_exif(loop), None)
    texts = [(271, "s", b"a\0b"), (272, "s", "\u202egpj.exe\u2066\u200f".encode() + b"\0")]
    yield HostileFile("NUL and bidirectional controls in EXIF", jpeg_with_exif(texts), None)
    emoji = ("\U0001f4f7" * 1_000).encode()
    many: list[Tag] = [(tag, "s", emoji) for tag in (269, 270, 271, 272, 285, 305, 315, 316, 33432)]
    yield HostileFile("long texts of emoji in EXIF", jpeg_with_exif(many), None)


def polyglots() -> Iterator[HostileFile]:
    """Yield files of several formats, and files of others under names of pictures."""
    script = b"<script>alert(1)</script>"
    archive = b"PK\3\4" + bytes(100) + b"PK\5\6" + bytes(18)
    yield HostileFile("a JPEG and an archive", encoded(flag(), "JPEG") + archive, None)
    yield HostileFile("a PNG and a page", encoded(flag((121, 80)), "PNG") + script, None)
    yield HostileFile("a JPEG with a script", encoded(flag(), "JPEG", comment=script), None)
    yield HostileFile(
        "a GIF that is a script", b"GIF89a/*" + bytes(9) + b"*/=1;alert(1)", "INVALID_CONTENT"
    )
    unsupported = "UNSUPPORTED_FORMAT"
    yield HostileFile("an SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', unsupported)
    yield HostileFile("an EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", unsupported)
    yield HostileFile("a PDF", b"%PDF-1.7\n", unsupported, name="photo.png")
    yield HostileFile("a page", b"<!DOCTYPE html>" + script, unsupported, name="photo.gif")


def names() -> Iterator[HostileFile]:
    """Yield files with names that are paths, too long, or hide their ending."""
    for number, name in enumerate(HOSTILE_NAMES):
        data = encoded(flag((130 + number, 80)), "PNG")
        yield HostileFile(f"the name {name[:20]!a}", data, None, name=name)


def truncated() -> Iterator[HostileFile]:
    """Yield all formats, truncated at every eighth."""
    for kind in FORMATS:
        whole = encoded(flag((300, 200)), kind)
        for eighth in range(1, 8):
            data = whole[: len(whole) * eighth // 8]
            yield HostileFile(f"{eighth}/8 of a {kind}", data, "INVALID_CONTENT")
