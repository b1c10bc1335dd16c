"""Imaging with Pillow and libheif, in a pool of decoder processes."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

from domain.entities.images import Picture, Pixels
from domain.errors import UploadRefusal
from infra.pillow.decoder_pool import DecoderLimits, DecoderPool
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES

if TYPE_CHECKING:
    from infra.pillow.decoder_protocol import Response

__all__ = ["ACCEPTED_CONTENT_TYPES", "PillowImaging"]


class PillowImaging:
    """Decodes JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF and HEIC, which it tells by their magic bytes.

    An async context manager. An animation is decoded to its first frame. ``encoder_side`` is the
    input side of the encoder in pixels: the shorter side of ``Pixels`` is 1.5 times as long, unless
    the file is smaller. ``decode_pixels`` and ``inspect`` have priority over waiting calls of
    ``decode``, so that a search does not wait for a bulk upload.
    """

    def __init__(  # noqa: PLR0913 - each is a setting
        self,
        *,
        encoder_side: int = 224,
        max_pixels: int = 50_000_000,
        max_frames: int = 1_000,
        decode_seconds: float = 20,
        decode_memory_bytes: int = 1536 << 20,
        workers: int = 2,
    ) -> None:
        """Take the limits; processes start when the context is entered."""
        self._options = {
            "encoder_side": encoder_side,
            "max_pixels": max_pixels,
            "max_frames": max_frames,
        }
        self._pool = DecoderPool(workers, DecoderLimits(decode_seconds, decode_memory_bytes))

    async def __aenter__(self) -> Self:
        """Start the processes. Raises Misconfigured if they do not start."""
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill the processes."""
        await self._pool.__aexit__()

    def with_encoder_side(self, encoder_side: int) -> Self:
        """Return a copy for another encoder, which shares the pool of processes."""
        other = copy(self)
        other._options = self._options | {"encoder_side": encoder_side}  # noqa: SLF001 - a copy
        return other

    async def decode(self, data: bytes) -> Picture:
        task = {"name": "decode"} | self._options
        picture = _unwrap(await self._pool.run(task, data))
        assert isinstance(picture, Picture)  # noqa: S101 - the result type of this task
        return picture

    async def decode_pixels(self, data: bytes) -> Pixels:
        task = {"name": "decode_pixels"} | self._options
        pixels = _unwrap(await self._pool.run(task, data, urgent=True))
        assert isinstance(pixels, Pixels)  # noqa: S101 - the result type of this task
        return pixels

    async def inspect(self, data: bytes) -> str:
        task = {"name": "inspect"} | self._options
        content_type = _unwrap(await self._pool.run(task, data, urgent=True))
        assert isinstance(content_type, str)  # noqa: S101 - the result type of this task
        return content_type


def _unwrap(response: Response) -> Picture | Pixels | str:
    if isinstance(response, UploadRefusal):
        raise response
    return response
