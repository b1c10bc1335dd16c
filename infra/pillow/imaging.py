"""Imaging with Pillow and libheif, in a pool of decoder processes."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

from domain.concurrency import Priority
from domain.entities.images import Picture, Pixels
from domain.errors import UploadRefusal
from infra.pillow.decoder_pool import DecoderLimits, DecoderPool
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ACCEPTED_CONTENT_TYPES", "PillowImaging"]


class PillowImaging:
    """Decodes JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, HEIC, and the previews in RAW files.

    It tells them by their bytes. An async context manager. An animation is decoded to the first
    frame that shows something. ``encoder_side`` is the
    input side of the encoder in pixels: the shorter side of ``Pixels`` is 1.5 times as long, unless
    the file is smaller. The longer side is at most 32 times as long as that. For an encoder that
    takes a centre crop, it is at most 8 times as long as the shorter side.
    """

    def __init__(  # noqa: PLR0913 - each is a setting
        self,
        *,
        encoder_side: int = 224,
        takes_centre_crop: bool = False,
        max_pixels: int = 120_000_000,
        max_frames: int = 1_000,
        default_zone: str | None = None,
        with_descriptions: bool = True,
        decode_seconds: float = 8,
        decode_memory_bytes: int = 3 << 29,
        workers: int = 2,
    ) -> None:
        """Take the limits; processes start when the context is entered."""
        self._options = {
            "encoder_side": encoder_side,
            "takes_centre_crop": takes_centre_crop,
            "max_pixels": max_pixels,
            "max_frames": max_frames,
            "default_zone": default_zone or "",
            "with_descriptions": with_descriptions,
        }
        self._priority = Priority.UPLOAD
        self._pool = DecoderPool(workers, DecoderLimits(decode_seconds, decode_memory_bytes))

    async def __aenter__(self) -> Self:
        """Start the processes. Raises Misconfigured if they do not start."""
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill the processes."""
        await self._pool.__aexit__()

    def for_encoder(self, encoder_side: int, *, takes_centre_crop: bool) -> Self:
        """Return a copy for another encoder, which shares the pool of processes."""
        other = copy(self)
        other._options = self._options | {  # noqa: SLF001 - a copy
            "encoder_side": encoder_side,
            "takes_centre_crop": takes_centre_crop,
        }
        return other

    def with_priority(self, priority: Priority) -> Self:
        other = copy(self)
        other._priority = priority  # noqa: SLF001 - a copy
        return other

    async def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        announced: list[Pixels] = []

        def announce(pixels: Pixels) -> None:
            # A task that runs again, in another process, sends its pixels again.
            if on_pixels and not announced:
                on_pixels(pixels)
            announced.append(pixels)

        picture = await self._run("decode", data, on_pixels=announce, with_large=with_large)
        assert isinstance(picture, Picture)  # noqa: S101 - the result type of this task
        return picture

    async def render_large(self, data: bytes) -> bytes:
        rendition = await self._run("render_large", data)
        assert isinstance(rendition, bytes)  # noqa: S101 - the result type of this task
        return rendition

    async def decode_pixels(self, data: bytes) -> Pixels:
        pixels = await self._run("decode_pixels", data)
        assert isinstance(pixels, Pixels)  # noqa: S101 - the result type of this task
        return pixels

    async def inspect(self, data: bytes) -> str:
        content_type = await self._run("inspect", data)
        assert isinstance(content_type, str)  # noqa: S101 - the result type of this task
        return content_type

    async def _run(
        self,
        name: str,
        data: bytes,
        *,
        on_pixels: Callable[[Pixels], object] | None = None,
        **options: bool,
    ) -> Picture | Pixels | bytes | str:
        task = {"name": name} | self._options | options
        response = await self._pool.run(task, data, priority=self._priority, on_pixels=on_pixels)
        if isinstance(response, UploadRefusal):
            raise response
        return response
