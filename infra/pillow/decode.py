"""Decodes a file to a Picture or to Pixels, in the calling process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import LARGE_SIDE, THUMBNAIL_SIDE, Description, Picture, Pixels
from infra.pillow import renditions
from infra.pillow.descriptions import read_description
from infra.pillow.exif import UPRIGHT, orientation_of, read_exif
from infra.pillow.frames import ANIMATED_FORMATS, first_visible_frame, load_jpeg
from infra.pillow.metadata import read_metadata
from infra.pillow.perceptual_hash import perceptual_hash, pixel_sha256
from infra.pillow.picture_files import PictureLimits, open_picture, translating_errors
from infra.pillow.profiles import profile_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from infra.pillow.metadata import Metadata
    from infra.pillow.picture_files import OpenedPicture

# The encoder's own resizing and cropping lose no detail at this multiple of its input side.
_ENCODER_OVERSAMPLING = 1.5
# An encoder sees the middle square of a picture. This many of them are enough for its resizing.
_MAX_CROPPED_RATIO = 8
# An encoder that divides a picture of the longest ratio (1,000) into patches of equal number gives
# it about 32 times as many along a side as those of a square.
_MAX_RATIO = 32
# A JPEG scaled by the decoder is blurrier than one resized afterwards: decode at twice the size.
_DRAFT_OVERSAMPLING = 2
_MIDDLE_SIDE = LARGE_SIDE // 2
# The EXIF orientations that swap width and height.
_TRANSPOSED_ORIENTATIONS = range(5, 9)


@dataclass(frozen=True, slots=True)
class MetadataReading:
    """How the metadata of a file are read."""

    default_zone: str | None = None
    """The time zone of pictures that do not tell theirs."""
    with_descriptions: bool = True


@dataclass(frozen=True, slots=True)
class PictureDecoder:
    """Decodes files within limits, for an encoder whose input side is ``encoder_side`` pixels."""

    limits: PictureLimits
    encoder_side: int
    takes_centre_crop: bool = False
    """Whether the encoder takes the middle square of a picture, or all of it."""
    reading: MetadataReading = MetadataReading()

    def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        """Decode a file once, and derive everything that the library stores of it.

        ``on_pixels`` gets the pixels before the renditions are made. Raises UploadRefusal.
        """
        opened = open_picture(data, self.limits)
        source = _load(opened, longest=LARGE_SIDE)
        decoded = source.reduced(renditions.factor(source.image, LARGE_SIDE, 0))
        middle = decoded.finish(_reduce_to_middle(decoded.image))
        pixels = self._choose_pixels(opened, data, (middle, decoded, source))
        if on_pixels:
            on_pixels(pixels)
        thumbnail = renditions.fit(middle, longest=THUMBNAIL_SIDE)
        size = decoded.upright_size((opened.width, opened.height))
        return Picture(
            content_type=opened.content_type,
            width=size[0],
            height=size[1],
            placeholder=renditions.placeholder(thumbnail),
            perceptual_hash=perceptual_hash(thumbnail),
            pixel_sha256=pixel_sha256(middle, size),
            exif=read_exif(decoded.metadata, default_zone=self.reading.default_zone),
            description=read_description(decoded.metadata)
            if self.reading.with_descriptions
            else Description(),
            pixels=pixels,
            thumbnail=renditions.encode_webp(thumbnail, renditions.THUMBNAIL_EFFORT),
            large=_render_large(decoded, middle) if with_large else None,
        )

    def render_large(self, data: bytes) -> bytes:
        """Decode a file, and return LARGE alone. Raises UploadRefusal."""
        source = _load(open_picture(data, self.limits), longest=LARGE_SIDE)
        return _render_large(source.reduced(renditions.factor(source.image, LARGE_SIDE, 0)))

    def decode_pixels(self, data: bytes) -> Pixels:
        """Decode a file at the size that the encoder needs. Raises UploadRefusal."""
        shortest = _DRAFT_OVERSAMPLING * self._shortest
        source = _load(open_picture(data, self.limits), shortest=shortest)
        return self._pixels_of(source.reduced(renditions.factor(source.image, 0, shortest)))

    def inspect(self, data: bytes) -> str:
        """Return the media type of a file by its header. Raises UploadRefusal."""
        return open_picture(data, self.limits).content_type

    @property
    def _shortest(self) -> int:
        """The shorter side of ``Pixels``."""
        return round(self.encoder_side * _ENCODER_OVERSAMPLING)

    def _choose_pixels(
        self, opened: OpenedPicture, data: bytes, reductions: tuple[Image.Image, _Decoded, _Decoded]
    ) -> Pixels:
        """Return the pixels of the smallest reduction that has enough for the encoder.

        The reductions do not depend on the encoder, so that the digest does not. A JPEG that was
        scaled too far for a large encoder is decoded a second time.
        """
        middle, decoded, source = reductions
        longest = max(opened.width, opened.height)
        shortest = _DRAFT_OVERSAMPLING * self._shortest
        if max(decoded.image.size) == longest or min(decoded.image.size) >= shortest:
            return self._pixels(middle) if self._suffices(middle) else self._pixels_of(decoded)
        if max(source.image.size) == longest:
            return self._pixels_of(source)
        return self.decode_pixels(data)

    def _suffices(self, image: Image.Image) -> bool:
        return min(image.size) >= self._shortest

    def _pixels_of(self, decoded: _Decoded) -> Pixels:
        return self._pixels(decoded.finish(renditions.fit(decoded.image, shortest=self._shortest)))

    def _pixels(self, image: Image.Image) -> Pixels:
        reduced = renditions.fit(image, shortest=self._shortest)
        if self.takes_centre_crop:
            reduced = renditions.crop_to_ratio(reduced, _MAX_CROPPED_RATIO)
        else:
            reduced = renditions.fit(reduced, longest=_MAX_RATIO * self._shortest)
        reduced = renditions.on_white(reduced)
        return Pixels(reduced.width, reduced.height, reduced.tobytes())


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A picture as its file stores it, of eight bits a channel, with what makes it upright sRGB."""

    image: Image.Image
    metadata: Metadata
    profile: bytes | None
    orientation: int

    def reduced(self, scale: float) -> _Decoded:
        """Return the picture with blocks of its pixels averaged."""
        return replace(self, image=renditions.reduce(self.image, scale))

    def finish(self, reduced: Image.Image) -> Image.Image:
        """Return a reduction of the picture upright and in sRGB."""
        with translating_errors():
            converted = renditions.to_srgb(reduced, self.profile)
            return renditions.apply_orientation(converted, self.orientation)

    def upright_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the upright picture, by the one in its file."""
        width, height = size
        return (height, width) if self.orientation in _TRANSPOSED_ORIENTATIONS else size


def _load(opened: OpenedPicture, *, longest: int = 0, shortest: int = 0) -> _Decoded:
    """Decode a picture. A JPEG is scaled by its decoder as far as both bounds allow."""
    with translating_errors():
        image = _load_pixels(opened, longest, shortest)
        # After the pixels are loaded, because a PNG may store its EXIF chunk behind them.
        tiff = opened.data if opened.format_name == "TIFF" else b""
        metadata = read_metadata(image, tiff)
        if opened.raw:
            metadata = replace(metadata, tags={**metadata.tags, **opened.raw.tags})
        profile = profile_of(image, opened.data, opened.content_type)
        image = renditions.to_eight_bits(image)
    # Pillow's HEIC and TIFF decoders apply the orientation themselves.
    is_upright = opened.format_name in {"HEIF", "TIFF"}
    orientation = UPRIGHT if is_upright else orientation_of(metadata)
    return _Decoded(image, metadata, profile, orientation)


def _load_pixels(opened: OpenedPicture, longest: int, shortest: int) -> Image.Image:
    if opened.format_name in ANIMATED_FORMATS:
        return first_visible_frame(opened.image)
    if opened.format_name != "JPEG":
        opened.image.load()
        return opened.image

    def load(image: Image.Image) -> Image.Image:
        _set_draft_scale(image, renditions.factor(image, longest, shortest))
        image.load()
        return image

    return load_jpeg(opened, load)


def _render_large(decoded: _Decoded, middle: Image.Image | None = None) -> bytes:
    """Return LARGE. ``middle`` is the finished picture if it is not reduced."""
    if middle is None or max(decoded.image.size) > LARGE_SIDE:
        middle = decoded.finish(renditions.fit(decoded.image, longest=LARGE_SIDE))
    return renditions.encode_webp(middle, renditions.LARGE_EFFORT)


def _reduce_to_middle(image: Image.Image) -> Image.Image:
    """Return what all but LARGE is made of: a picture of 800 to 1,600 pixels, or a smaller file.

    It does not depend on the encoder, so that the digest does not.
    """
    longest = max(image.size)
    return renditions.reduce(image, _MIDDLE_SIDE / longest) if longest > LARGE_SIDE else image


def _set_draft_scale(image: Image.Image, factor: float) -> None:
    """Make the decoder scale a JPEG to 1/2, 1/4 or 1/8 in the DCT, if that is large enough."""
    if factor < 1:
        width, height = image.size
        image.draft(None, (max(1, int(width * factor)), max(1, int(height * factor))))
