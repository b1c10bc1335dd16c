"""Pictures as files, by Pillow and libheif, in processes of their own."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

from domain.entities.images import Picture, Pixels
from domain.errors import UploadRefusal
from infra.pillow.decoder_pool import DecoderLimits, DecoderPool
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES

if TYPE_CHECKING:
    from infra.pillow.decoder_protocol import Answer

__all__ = ["ACCEPTED_CONTENT_TYPES", "PillowImaging"]


class PillowImaging:
    """Recognises JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF and HEIC by their bytes.

    An async context manager. Of an animation the first frame is the picture. ``encoder_side`` is
    how many pixels a side the encoder sees: ``Pixels`` have one and a half times as many on the
    shortest side, if the file has. ``decode_pixels`` and ``inspect`` go ahead of every ``decode``
    that waits, so that a search never waits behind a bulk upload.
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
        """Take the bounds; nothing is started before the context is entered."""
        self._bounds = {
            "encoder_side": encoder_side,
            "max_pixels": max_pixels,
            "max_frames": max_frames,
        }
        self._workers = DecoderPool(workers, DecoderLimits(decode_seconds, decode_memory_bytes))

    async def __aenter__(self) -> Self:
        """Start the processes. Raises Misconfigured where they do not start."""
        await self._workers.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the processes."""
        await self._workers.__aexit__()

    def seeing(self, encoder_side: int) -> Self:
        """Return the same for an encoder that sees so many pixels a side, with these processes."""
        other = copy(self)
        other._bounds = self._bounds | {"encoder_side": encoder_side}  # noqa: SLF001 - of its kind
        return other

    async def decode(self, data: bytes) -> Picture:
        """Recognise, bound and decode a file once, and make all that is kept of it."""
        picture = _or_raise(await self._workers.run({"name": "decode"} | self._bounds, data))
        assert isinstance(picture, Picture)  # noqa: S101 - narrows what the task answers
        return picture

    async def decode_pixels(self, data: bytes) -> Pixels:
        """Recognise, bound and decode a file no further than an encoder needs."""
        task = {"name": "decode_pixels"} | self._bounds
        pixels = _or_raise(await self._workers.run(task, data, urgent=True))
        assert isinstance(pixels, Pixels)  # noqa: S101 - narrows what the task answers
        return pixels

    async def inspect(self, data: bytes) -> str:
        """Recognise and bound a file by its header, and return its media type."""
        task = {"name": "inspect"} | self._bounds
        content_type = _or_raise(await self._workers.run(task, data, urgent=True))
        assert isinstance(content_type, str)  # noqa: S101 - narrows what the task answers
        return content_type


def _or_raise(answer: Answer) -> Picture | Pixels | str:
    if isinstance(answer, UploadRefusal):
        raise answer
    return answer
