"""Media types that clients announce for picture files, in the spellings that browsers use.

A browser derives the type from the file name by a table of the operating system, and knows fewer
formats than this server. So an announced type is a hint: the bytes decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

UNKNOWN_TYPE = "application/octet-stream"
"""The type of bytes of which nothing is known (RFC 2046, section 4.5.1)."""

_UNKNOWN_TYPES = {
    "",
    UNKNOWN_TYPE,
    "application/unknown",
    "application/x-unknown",
    "binary/octet-stream",
}
_ALIASES = {
    "image/apng": "image/png",
    "image/avif-sequence": "image/avif",
    "image/heic-sequence": "image/heic",
    "image/heif": "image/heic",
    "image/heif-sequence": "image/heic",
    "image/jfif": "image/jpeg",
    "image/jpe": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/vnd.mozilla.apng": "image/png",
    "image/x-bmp": "image/bmp",
    "image/x-ms-bmp": "image/bmp",
    "image/x-png": "image/png",
    "image/x-tiff": "image/tiff",
    "image/x-windows-bmp": "image/bmp",
}
_EXTENSIONS = {
    "apng": "image/png",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "dib": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heic",
    "hif": "image/heic",
    "jfif": "image/jpeg",
    "jpe": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
_PICTURE = re.compile(r"image/[a-z0-9][a-z0-9.+_-]{0,60}")
_DRAWINGS = {"image/svg", "image/svg+xml"}
"""Pictures without pixels. No decoder of pixels reads them."""


def picture_type(announced: str, filename: str, accepted: Container[str]) -> str | None:
    """Return the media type to expect of a file; None where the announced one is no picture's.

    An accepted type is returned for each of its spellings. An empty or general type is replaced by
    that of the file name, or by UNKNOWN_TYPE. Another type of a picture is returned as announced.
    """
    bare = announced.partition(";")[0].strip().lower()
    if bare in _UNKNOWN_TYPES:
        of_name = _EXTENSIONS.get(filename.rpartition(".")[2].lower(), UNKNOWN_TYPE)
        return of_name if of_name in accepted else UNKNOWN_TYPE
    known = _ALIASES.get(bare, bare)
    if known in accepted or (_PICTURE.fullmatch(known) and known not in _DRAWINGS):
        return known
    return None
