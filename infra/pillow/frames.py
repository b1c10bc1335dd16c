"""Chooses the frame of an animation, and decodes JPEGs that lack their end marker."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.pillow.picture_files import OpenedPicture

ANIMATED_FORMATS = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
_MAX_FRAMES_TRIED = 16
_MAX_PIXELS_TRIED = 30_000_000
_END_OF_IMAGE = b"\xff\xd9"
# Bytes that a decoder would take for pixels if some were missing, and skips if none are.
_FILLING = b"\x5a\x13\xc7\x88" * 16


def first_visible_frame(image: Image.Image) -> Image.Image:
    """Load the first of the early frames that has more than one colour; else the first frame."""
    image.load()
    frames = min(getattr(image, "n_frames", 1), _MAX_FRAMES_TRIED)
    frames = min(frames, _MAX_PIXELS_TRIED // (image.width * image.height))
    if frames <= 1 or not _is_blank(image):
        return image
    first = image.copy()
    first.info = dict(image.info)
    for number in range(1, frames):
        image.seek(number)
        image.load()
        if not _is_blank(image):
            return image
    return first


def _is_blank(image: Image.Image) -> bool:
    small = image.convert("RGBA")
    alpha = small.getchannel("A")
    if alpha.getextrema() == (0, 0):
        return True
    visible = Image.new("RGBA", small.size)
    visible.paste(small, mask=alpha)
    return all(len(set(channel.getextrema())) == 1 for channel in visible.split())


def load_jpeg(opened: OpenedPicture, load: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Load a JPEG, also one that lacks only its end marker. Raises OSError for a cut one.

    A cut one is told by decoding it with two endings: only missing pixels differ.
    """
    try:
        return load(opened.image)
    except OSError:
        # Half a marker. Zeros stay: the last byte of the pixels can be one.
        tail = opened.data.rstrip(b"\xff")
        if tail.endswith(_END_OF_IMAGE):
            raise
        endings = (_END_OF_IMAGE, _FILLING + _END_OF_IMAGE)
        plain, filled = (load(_reopened(tail + ending)) for ending in endings)
        if plain.tobytes() != filled.tobytes():
            raise
        return plain


def _reopened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])
