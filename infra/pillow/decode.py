"""Makes a Picture, or Pixels, of a file: one decoding, in the process that calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import LARGE_SIDE, THUMBNAIL_SIDE, Picture, Pixels
from infra.pillow import renditions
from infra.pillow.exif import UPRIGHT, orientation_of, read_exif
from infra.pillow.perceptual_hash import perceptual_hash, pixel_sha256
from infra.pillow.picture_files import Bounds, hostile, open_picture
from infra.pillow.tiff_tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from infra.pillow.picture_files import OpenedPicture
    from infra.pillow.tiff_tags import Value

# The encoder crops or squeezes what it gets; with this much in hand it loses nothing.
_HEADROOM = 1.5
# A JPEG reduced while it is decoded is less sharp than one reduced afterwards: start from twice.
_DRAFT_HEADROOM = 2
_SIDEWAYS = range(5, 9)


@dataclass(frozen=True, slots=True)
class PictureDecoder:
    """Develops files within bounds, for an encoder that sees ``encoder_side`` pixels a side."""

    bounds: Bounds
    encoder_side: int

    def decode(self, data: bytes) -> Picture:
        """Decode once and make all that is kept. Raises UploadRefusal."""
        opened = open_picture(data, self.bounds)
        image, tags, turned = self._print(opened, data, longest=LARGE_SIDE)
        large = renditions.fit(image, longest=LARGE_SIDE)
        thumbnail = renditions.fit(large, longest=THUMBNAIL_SIDE)
        size = (opened.height, opened.width) if turned else (opened.width, opened.height)
        return Picture(
            content_type=opened.content_type,
            width=size[0],
            height=size[1],
            placeholder=renditions.placeholder(thumbnail),
            perceptual_hash=perceptual_hash(large),
            pixel_sha256=pixel_sha256(large, size),
            exif=read_exif(tags),
            pixels=self._pixels(image),
            large=renditions.webp(large),
            thumbnail=renditions.webp(thumbnail),
        )

    def decode_pixels(self, data: bytes) -> Pixels:
        """Decode no further than the encoder needs. Raises UploadRefusal."""
        image, _, _ = self._print(open_picture(data, self.bounds), data)
        return self._pixels(image)

    def inspect(self, data: bytes) -> str:
        """Read no more than the header, and return the media type. Raises UploadRefusal."""
        return open_picture(data, self.bounds).content_type

    @property
    def _shortest(self) -> int:
        return round(self.encoder_side * _HEADROOM)

    def _pixels(self, image: Image.Image) -> Pixels:
        seen = renditions.on_white(renditions.fit(image, shortest=self._shortest))
        return Pixels(seen.width, seen.height, seen.tobytes())

    def _print(
        self, opened: OpenedPicture, data: bytes, *, longest: int = 0
    ) -> tuple[Image.Image, Mapping[str, Value], bool]:
        """Decode upright and in sRGB, large enough, with tags, and whether it lay on its side."""
        image = opened.image
        with hostile():
            if opened.content_type == "image/jpeg":
                _draft(image, longest=longest, shortest=_DRAFT_HEADROOM * self._shortest)
            image.load()
            tags = _tags(opened, data)
            profile = image.info.get("icc_profile")
            image = renditions.eight_bits(image)
            image = renditions.fit(image, longest=longest, shortest=self._shortest)
            image = renditions.to_srgb(image, profile)
        # These two decoders turn the picture themselves.
        turns_itself = opened.content_type in {"image/heic", "image/tiff"}
        orientation = UPRIGHT if turns_itself else orientation_of(tags)
        return renditions.upright(image, orientation), tags, orientation in _SIDEWAYS


def _draft(image: Image.Image, *, longest: int, shortest: int) -> None:
    """Let a JPEG be decoded at a half, a quarter or an eighth, where that is large enough."""
    factor = max(longest / max(image.size), shortest / min(image.size))
    if factor < 1:
        width, height = image.size
        image.draft(None, (max(1, int(width * factor)), max(1, int(height * factor))))


def _tags(opened: OpenedPicture, data: bytes) -> Mapping[str, Value]:
    # Only now: a PNG may bring its EXIF behind its pixels.
    info = opened.image.info
    if opened.content_type == "image/tiff":
        return read_tags(data)
    return read_tags(info.get("exif") or _raw_profile(info.get("Raw profile type exif")))


def _raw_profile(text: object) -> bytes:
    """Read the form in which ImageMagick used to keep EXIF in a PNG: a length, then hex."""
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""
