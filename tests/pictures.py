"""Draws, encodes and compares pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pillow_heif
from PIL import Image, ImageChops, ImageDraw, ImageStat

if TYPE_CHECKING:
    from domain.entities.images import Pixels

FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
WITH_EXIF = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"]
RED, BLUE, WHITE = (220, 30, 30), (20, 40, 200), (255, 255, 255)


def flag(size: tuple[int, int] = (120, 80), mode: str = "RGB") -> Image.Image:
    """A red picture with a blue top left quarter: no rotation or reflection of it looks equal."""
    image = Image.new("RGB", size, RED)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=BLUE)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(
        file, kind, **({"quality": 95} if kind not in {"GIF", "PNG", "BMP"} else {}), **options
    )
    return file.getvalue()


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


def as_image(pixels: Pixels) -> Image.Image:
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.rgb)


def difference(image: Image.Image, other: Image.Image) -> float:
    """Return the mean absolute difference of two pictures of equal size, 0 to 255."""
    assert image.size == other.size
    channels = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), other.convert("RGB")))
    return sum(channels.mean) / 3


def some_exif(orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    exif[271] = "Canon"
    if orientation:
        exif[274] = orientation
    exif.get_ifd(34665).update({36867: "2024:05:01 14:30:00", 36881: "+02:00"})
    exif.get_ifd(34853).update({1: "S", 2: (33.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 0.0)})
    return exif.tobytes()
