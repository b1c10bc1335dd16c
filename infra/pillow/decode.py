"""Decodes a file to a Picture or to Pixels, in the calling process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import LARGE_SIDE, THUMBNAIL_SIDE, Picture, Pixels
from infra.pillow import renditions
from infra.pillow.exif import UPRIGHT, orientation_of, read_exif
from infra.pillow.perceptual_hash import perceptual_hash, pixel_sha256
from infra.pillow.picture_files import PictureLimits, open_picture, translating_errors
from infra.pillow.tiff_tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from infra.pillow.picture_files import OpenedPicture
    from infra.pillow.tiff_tags import TagValue

# The encoder's own resizing and cropping lose no detail at this multiple of its input side.
_ENCODER_OVERSAMPLING = 1.5
# An encoder sees the middle square of a picture. This many of them are enough for its resizing.
_MAX_CROPPED_RATIO = 8
# An encoder that divides a picture of the longest ratio (1,000) into patches of equal number gives
# it about 32 times as many along a side as those of a square.
_MAX_RATIO = 32
# A JPEG scaled by the decoder is blurrier than one resized afterwards: decode at twice the size.
_DRAFT_OVERSAMPLING = 2
# The EXIF orientations that swap width and height.
_TRANSPOSED_ORIENTATIONS = range(5, 9)


@dataclass(frozen=True, slots=True)
class PictureDecoder:
    """Decodes files within limits, for an encoder whose input side is ``encoder_side`` pixels."""

    limits: PictureLimits
    encoder_side: int
    takes_centre_crop: bool = False
    """Whether the encoder takes the middle square of a picture, or all of it."""

    def decode(self, data: bytes) -> Picture:
        """Decode a file once, and derive everything that the library stores of it.

        Raises UploadRefusal.
        """
        opened = open_picture(data, self.limits)
        image, tags, transposed = self._decode_upright(opened, data, longest=LARGE_SIDE)
        large = renditions.fit(image, longest=LARGE_SIDE)
        thumbnail = renditions.fit(large, longest=THUMBNAIL_SIDE)
        size = (opened.height, opened.width) if transposed else (opened.width, opened.height)
        return Picture(
            content_type=opened.content_type,
            width=size[0],
            height=size[1],
            placeholder=renditions.placeholder(thumbnail),
            perceptual_hash=perceptual_hash(large),
            pixel_sha256=pixel_sha256(large, size),
            exif=read_exif(tags),
            pixels=self._pixels(image),
            large=renditions.encode_webp(large),
            thumbnail=renditions.encode_webp(thumbnail),
        )

    def decode_pixels(self, data: bytes) -> Pixels:
        """Decode a file at the size that the encoder needs. Raises UploadRefusal."""
        image, _, _ = self._decode_upright(open_picture(data, self.limits), data)
        return self._pixels(image)

    def inspect(self, data: bytes) -> str:
        """Return the media type of a file by its header. Raises UploadRefusal."""
        return open_picture(data, self.limits).content_type

    @property
    def _shortest(self) -> int:
        """The shorter side of ``Pixels``."""
        return round(self.encoder_side * _ENCODER_OVERSAMPLING)

    def _pixels(self, image: Image.Image) -> Pixels:
        reduced = renditions.fit(image, shortest=self._shortest)
        if self.takes_centre_crop:
            reduced = renditions.crop_to_ratio(reduced, _MAX_CROPPED_RATIO)
        else:
            reduced = renditions.fit(reduced, longest=_MAX_RATIO * self._shortest)
        reduced = renditions.on_white(reduced)
        return Pixels(reduced.width, reduced.height, reduced.tobytes())

    def _decode_upright(
        self, opened: OpenedPicture, data: bytes, *, longest: int = 0
    ) -> tuple[Image.Image, Mapping[str, TagValue], bool]:
        """Return the picture upright and in sRGB, its EXIF tags, and whether its sides swapped.

        The picture is reduced, but no further than ``longest`` and the encoder's input allow.
        """
        image = opened.image
        with translating_errors():
            if opened.content_type == "image/jpeg":
                _set_draft_scale(
                    image, longest=longest, shortest=_DRAFT_OVERSAMPLING * self._shortest
                )
            image.load()
            tags = _read_tags(opened, data)
            profile = image.info.get("icc_profile")
            image = renditions.to_eight_bits(image)
            image = renditions.fit(image, longest=longest, shortest=self._shortest)
            image = renditions.to_srgb(image, profile)
        # Pillow's HEIC and TIFF decoders apply the orientation themselves.
        is_upright = opened.content_type in {"image/heic", "image/tiff"}
        orientation = UPRIGHT if is_upright else orientation_of(tags)
        transposed = orientation in _TRANSPOSED_ORIENTATIONS
        return renditions.apply_orientation(image, orientation), tags, transposed


def _set_draft_scale(image: Image.Image, *, longest: int, shortest: int) -> None:
    """Make the decoder scale a JPEG to 1/2, 1/4 or 1/8 in the DCT, if that is large enough."""
    factor = max(longest / max(image.size), shortest / min(image.size))
    if factor < 1:
        width, height = image.size
        image.draft(None, (max(1, int(width * factor)), max(1, int(height * factor))))


def _read_tags(opened: OpenedPicture, data: bytes) -> Mapping[str, TagValue]:
    # After the pixels are loaded, because a PNG may store its EXIF chunk behind them.
    info = opened.image.info
    if opened.content_type == "image/tiff":
        return read_tags(data)
    return read_tags(info.get("exif") or _parse_raw_profile(info.get("Raw profile type exif")))


def _parse_raw_profile(text: object) -> bytes:
    """Decode the EXIF of old versions of ImageMagick in a PNG text chunk: a length, then hex."""
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""
