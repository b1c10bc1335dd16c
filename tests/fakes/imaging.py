"""Imaging of a test format: ``PICTURE <width>x<height> <red> <green> <blue> <words>``."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from domain.entities.images import (
    FLAT,
    LARGE_SIDE,
    THUMBNAIL_SIDE,
    Picture,
    Pixels,
    check_dimensions,
)
from domain.errors import InvalidContent, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.concurrency import Priority
    from domain.entities.images import Exif

SIGNATURE = b"PICTURE "
_HEADER = re.compile(rb"PICTURE (\d+)x(\d+) (\d+) (\d+) (\d+)( |$)")
_PIXELS_SIDE = 32


def picture_file(
    colour: tuple[int, int, int] = (255, 0, 0),
    size: tuple[int, int] = (8, 6),
    *,
    words: str = "",
) -> bytes:
    """Return a file that FakeImaging understands; ``words`` make the bytes unique."""
    header = "PICTURE {}x{} {} {} {}".format(*size, *colour)
    return f"{header} {words}".rstrip().encode()


@dataclass
class FakeImaging:
    """Decodes pictures of one colour. ``exif`` has the facts by file.

    Each colour has its own perceptual hash, far from the others. Greys are FLAT.
    """

    exif: dict[bytes, Exif] = field(default_factory=dict)
    max_pixels: int = 50_000_000

    def with_priority(self, priority: Priority) -> Self:  # noqa: ARG002 - nothing waits here
        return self

    async def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        width, height, colour = self._read(data)
        pixels = _flat(width, height, colour)
        if on_pixels:
            on_pixels(pixels)
        return Picture(
            content_type="image/png",
            width=width,
            height=height,
            placeholder=base64.b64encode(colour).decode(),
            perceptual_hash=FLAT if len(set(colour)) == 1 else hashlib.sha256(colour).digest(),
            pixel_sha256=hashlib.sha256(b"%d %d " % (width, height) + colour).hexdigest(),
            exif=self.exif.get(data),
            pixels=pixels,
            thumbnail=_rendition(width, height, THUMBNAIL_SIDE, colour=colour),
            large=await self.render_large(data) if with_large else None,
        )

    async def render_large(self, data: bytes) -> bytes:
        width, height, colour = self._read(data)
        return _rendition(width, height, LARGE_SIDE, colour=colour)

    async def decode_pixels(self, data: bytes) -> Pixels:
        return _flat(*self._read(data))

    async def inspect(self, data: bytes) -> str:
        self._read(data)
        return "image/png"

    def _read(self, data: bytes) -> tuple[int, int, bytes]:
        if not data.startswith(SIGNATURE):
            raise UnsupportedFormat("This file is no picture. Send one that starts with PICTURE.")
        header = _HEADER.match(data)
        if not header:
            raise InvalidContent("This picture is damaged. Export it again.")
        width, height, *colour = (int(number) for number in header.groups()[:5])
        check_dimensions(width, height, max_pixels=self.max_pixels)
        if not (width and height and max(colour) < 256):
            raise InvalidContent("This picture is damaged. Export it again.")
        return width, height, bytes(colour)


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    longest = max(width, height, side)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _flat(width: int, height: int, colour: bytes) -> Pixels:
    width, height = _fit(width, height, _PIXELS_SIDE)
    return Pixels(width, height, colour * (width * height))


def _rendition(width: int, height: int, side: int, *, colour: bytes) -> bytes:
    red, green, blue = colour
    return picture_file((red, green, blue), _fit(width, height, side))
