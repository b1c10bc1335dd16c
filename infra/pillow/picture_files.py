"""Opens picture files: content sniffing by magic bytes, and limits checked before decoding."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from pillow_heif import HeifImagePlugin  # noqa: F401 - the import registers HEIC with Pillow

from domain.entities.images import LARGE_SIDE, check_dimensions
from domain.errors import InvalidContent, TooManyPixels, UnsupportedFormat, UploadRefusal
from infra.pillow.raw_files import RAW_CONTENT_TYPES, read_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.pillow.raw_files import RawFile

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
ACCEPTED_CONTENT_TYPES = (*_CONTENT_TYPES.values(), *RAW_CONTENT_TYPES.values())

_MAGIC_BYTES = {
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
class PictureLimits:
    """The limits of a picture."""

    max_pixels: int
    max_frames: int


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A picture within the limits, of which only the header has been read."""

    content_type: str
    format_name: str
    """Of what ``image`` decodes: JPEG for a RAW file."""
    image: Image.Image
    data: bytes
    """Of ``image``: the file, or the preview in a RAW file."""
    width: int
    height: int
    """In the file, before the EXIF orientation; after it for TIFF and HEIC, by their decoders."""
    raw: RawFile | None = None


def open_picture(data: bytes, limits: PictureLimits) -> OpenedPicture:
    """Read the header. Raises UnsupportedFormat, InvalidContent and TooManyPixels."""
    with translating_errors():
        raw = read_raw(data)
        if raw:
            data = raw.preview
        format_name = _sniff_format(data)
        try:
            image = _open(data, format_name)
        except Image.DecompressionBombError:
            raise TooManyPixels(
                f"This picture has far more than {limits.max_pixels:,} pixels; reduce it, or "
                "raise PICTOGRAPH_MAX_PIXELS on the server."
            ) from None
        width, height = image.size
        reduction = _reduction(image) if format_name == "JPEG" else 1
        _check_pixels(width, height, limits.max_pixels * reduction**2)
        frames = 1 if format_name == "JPEG" else getattr(image, "n_frames", 1)
        if frames > limits.max_frames:
            raise TooManyPixels(
                f"This file has {frames:,} frames; send one with at most {limits.max_frames:,}."
            )
    content_type = raw.content_type if raw else _CONTENT_TYPES[format_name]
    return OpenedPicture(content_type, format_name, image, data, width, height, raw)


def _check_pixels(width: int, height: int, most: int) -> None:
    try:
        check_dimensions(width, height, max_pixels=most)
    except TooManyPixels as refusal:
        if width * height <= most:
            raise
        raise TooManyPixels(
            f"{refusal.message.rstrip('.')}, or raise PICTOGRAPH_MAX_PIXELS on the server."
        ) from None


def _reduction(image: Image.Image) -> int:
    """Return by how much the decoder of a JPEG scales it down for LARGE, as far as it can."""
    scale = max(image.size) // LARGE_SIDE
    return next(reduction for reduction in (8, 4, 2, 1) if reduction <= max(scale, 1))


@contextmanager
def translating_errors() -> Iterator[None]:
    """Raise InvalidContent for any exception of a decoder.

    For damaged files Pillow raises OSError, ValueError, SyntaxError, struct.error, KeyError, and
    others.
    """
    with warnings.catch_warnings():
        # Pillow warns of damaged metadata, which is no reason for a refusal, and of many pixels,
        # which ``open_picture`` counts.
        warnings.simplefilter("ignore")
        try:
            yield
        except UploadRefusal:
            raise
        except MemoryError:
            raise InvalidContent(
                "Decoding this picture takes more memory than allowed; reduce it, or raise "
                "PICTOGRAPH_DECODE_MEMORY_BYTES on the server."
            ) from None
        except Exception as error:
            raise InvalidContent(
                "This picture is damaged or incomplete; export it again and send the new file."
            ) from error


def _sniff_format(data: bytes) -> str:
    if not data:
        raise UnsupportedFormat("This file is empty; send a picture.")
    for magic, format_name in _MAGIC_BYTES.items():
        if data.startswith(magic):
            return format_name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise UnsupportedFormat(
        f"This file is not in a supported format; send one of {', '.join(_CONTENT_TYPES)}, "
        f"or a RAW file ({', '.join(RAW_CONTENT_TYPES)})."
    )


def _open(data: bytes, format_name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=[format_name])
    except Exception:
        if format_name != "AVIF":
            raise
        # Pillow fails to open an AVIF with damaged EXIF. It skips an item of an unknown type.
        return Image.open(io.BytesIO(data.replace(b"Exif", b"skip")), formats=[format_name])
