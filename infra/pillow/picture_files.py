"""Recognises picture files by their bytes, and opens them within bounds."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from pillow_heif import HeifImagePlugin  # noqa: F401 - importing it teaches Pillow HEIC

from domain.errors import InvalidContent, TooManyPixels, UnsupportedFormat, UploadRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTENT_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
ACCEPTED_CONTENT_TYPES = tuple(_CONTENT_TYPES.values())

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a picture may have at most."""

    max_pixels: int
    max_frames: int


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A picture whose header was read and whose pixels were not, all bounds kept."""

    content_type: str
    image: Image.Image
    width: int
    height: int
    """As the pixels lie in the file; TIFF and HEIC are turned upright by their decoders."""


def open_picture(data: bytes, bounds: Bounds) -> OpenedPicture:
    """Read the header. Raises UnsupportedFormat, InvalidContent and TooManyPixels."""
    kind = _recognise(data)
    with hostile():
        try:
            image = _open(data, kind)
        except Image.DecompressionBombError:
            raise TooManyPixels(
                f"This picture has far more than {bounds.max_pixels:,} pixels; reduce it."
            ) from None
        width, height = image.size
        if width * height > bounds.max_pixels:
            raise TooManyPixels(
                f"This picture has {width} x {height} pixels; "
                f"reduce it to at most {bounds.max_pixels:,} in all."
            )
        frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
        if frames > bounds.max_frames:
            raise TooManyPixels(
                f"This file has {frames:,} frames; send one with at most {bounds.max_frames:,}."
            )
    return OpenedPicture(_CONTENT_TYPES[kind], image, width, height)


@contextmanager
def hostile() -> Iterator[None]:
    """Decode here: whatever a file makes of the decoders becomes a refusal.

    Pillow raises far more than OSError: ValueError, SyntaxError, struct.error, KeyError ...
    """
    with warnings.catch_warnings():
        # Damaged metadata is worth a warning and no refusal; too many pixels are counted here.
        warnings.simplefilter("ignore")
        try:
            yield
        except UploadRefusal:
            raise
        except MemoryError:
            raise InvalidContent(
                "Decoding this picture takes more memory than allowed; reduce it."
            ) from None
        except Exception as error:
            raise InvalidContent(
                "This picture is damaged or incomplete; export it again and send the new file."
            ) from error


def _recognise(data: bytes) -> str:
    if not data:
        raise UnsupportedFormat("This file is empty; send a picture.")
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise UnsupportedFormat(
        f"This file is no picture that is accepted; send one of {', '.join(_CONTENT_TYPES)}."
    )


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=[kind])
    except Exception:
        if kind != "AVIF":
            raise
        # Pillow fails on an AVIF whose EXIF it cannot read. Under another name it is passed over.
        return Image.open(io.BytesIO(data.replace(b"Exif", b"skip")), formats=[kind])
