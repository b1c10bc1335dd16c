"""Images: their facts, the renditions they are served in, and changes to them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, fields, replace
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import unquote
from uuid import UUID

from domain.entities.text import UNSTORABLE, check_text
from domain.errors import InvalidArgument, TooManyPixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

LARGE_SIDE = 1600
THUMBNAIL_SIDE = 320
"""Longest sides of the renditions, in pixels."""

MAX_PICTURE_SIDE = 65_535
"""The longest side of a picture that is accepted: that of the largest JPEG."""

MAX_ASPECT_RATIO = 1_000
"""How many times as long as the shorter side the longer one may be. LARGE has two rows of pixels
at this ratio."""

MAX_ALT_TEXT_CHARACTERS = 2_000
MAX_EXIF_TAGS = 250
MIN_RATING, MAX_RATING = 1, 5
MAX_TAGS_PER_IMAGE = 200


class Variant(StrEnum):
    """The stored forms of an image: the original bytes, and two upright renditions."""

    ORIGINAL = "original"
    LARGE = "large"
    THUMBNAIL = "thumbnail"

    def key_of(self, image_id: UUID) -> str:
        """Return the storage key: made of the image's id, never of its digest or file name."""
        return f"{image_id}/{self.value}"

    @classmethod
    def keys_of(cls, image_ids: Iterable[UUID]) -> list[str]:
        """Return the storage keys of all files of these images."""
        return [variant.key_of(image_id) for image_id in image_ids for variant in cls]


class ImageStatus(StrEnum):
    """The progress of indexing. Only READY images have an embedding."""

    PROCESSING = "processing"
    """The image waits for a worker, or is being indexed. It has no renditions yet."""
    READY = "ready"
    """The image has renditions and an embedding, and searches find it."""
    FAILED = "failed"
    """Indexing failed for good. The same bytes can be sent again."""


REPLACEABLE = frozenset({ImageStatus.FAILED})
"""States of an image that is replaced when the same bytes arrive again: so they get another chance
to be indexed. Otherwise the earlier image is kept."""


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A place on WGS 84, in signed degrees: north and east are positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Exif:
    """EXIF facts of a file, as far as they are readable."""

    taken_at: datetime | None = None
    """An instant. None where the offset of the camera's clock is unknown."""
    taken_at_local: datetime | None = None
    """The local time of the place, without an offset. Known wherever ``taken_at`` is."""
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    location: GeoPoint | None = None
    iso: int | None = None
    f_number: float | None = None
    exposure_seconds: float | None = None
    focal_length_mm: float | None = None
    all: Mapping[str, str] = field(default_factory=dict)
    """Every readable tag by its standard name, values as text."""

    def __post_init__(self) -> None:
        """Take the local time from the instant's own offset where it is not given."""
        if self.taken_at and not self.taken_at_local:
            object.__setattr__(self, "taken_at_local", self.taken_at.replace(tzinfo=None))


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of the facts that people edit. It never replaces what people wrote."""

    alt_text: str | None = None
    rating: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The place of an original that was not copied: a file, or an object of a bucket."""

    location: str
    """``s3://bucket/key`` or ``file:///folder/name``."""
    version: str
    """Changes with the bytes: an ETag, or the modification time and size of a file."""

    @property
    def name(self) -> str:
        """The last part of the location, decoded for people."""
        last = self.location.rpartition("/")[2]
        return unquote(last) if self.location.startswith("file:") else last


@dataclass(frozen=True, slots=True)
class Image:
    """A picture of the library."""

    id: UUID
    filename: str
    content_type: str
    byte_size: int
    sha256: str
    """Of the original bytes, lower-case hex. Unique: the same bytes twice are one image."""
    created_at: datetime
    status: ImageStatus
    width: int | None = None
    height: int | None = None
    """In pixels, after EXIF orientation."""
    placeholder: str | None = None
    """A thumbhash of at most 25 bytes, in base64."""
    perceptual_hash: bytes | None = None
    """As in ``Picture``. None for an image that an earlier version indexed without a hash."""
    pixel_sha256: str | None = None
    """As in ``Picture``. None also where the file is no longer readable."""
    failure_reason: str | None = None
    alt_text: str | None = None
    rating: int | None = None
    """1 to 5, given by people."""
    tags: tuple[str, ...] = ()
    """Without duplicates, in alphabetical order."""
    exif: Exif | None = None
    source: Source | None = None
    """The place of the original; None where storage has it. Renditions are always in storage."""
    deleted_at: datetime | None = None
    """Since when the image is in the trash, where no answer shows it."""
    description: Description = field(default=Description(), compare=False, repr=False)
    """What its file says, while it is indexed. It is not stored as such."""
    lacks_large: bool = False
    """LARGE of an imported image is still to be rendered."""
    updated_at: datetime | None = field(default=None, compare=False)
    """When tags, alternative text, rating or status last changed; None where they have not changed
    since the image was added. It is no fact of the image, so that it is not compared."""

    @property
    def is_replaceable(self) -> bool:
        """Whether the image is replaced when the same bytes arrive again."""
        return self.status in REPLACEABLE

    @property
    def required_variants(self) -> frozenset[Variant]:
        """The variants that are in storage while the image is READY.

        LARGE is rendered at its first request, from an original in storage. An original elsewhere
        may vanish: LARGE of it is rendered soon, and is kept from then on.
        """
        if self.source is None:
            return frozenset({Variant.ORIGINAL, Variant.THUMBNAIL})
        large = frozenset() if self.lacks_large else frozenset({Variant.LARGE})
        return large | {Variant.THUMBNAIL}

    def offers(self, variant: Variant) -> bool:
        """Whether a variant is there to be read: renditions are only of a READY image."""
        return variant is Variant.ORIGINAL or self.status is ImageStatus.READY

    def with_picture(self, picture: Picture) -> Image:
        """Return the image as READY, with the facts of its decoded file."""
        return replace(
            self,
            content_type=picture.content_type,
            status=ImageStatus.READY,
            width=picture.width,
            height=picture.height,
            placeholder=picture.placeholder,
            perceptual_hash=picture.perceptual_hash,
            pixel_sha256=picture.pixel_sha256,
            exif=picture.exif,
        ).described(picture.description)

    def described(self, description: Description) -> Image:
        """Return the image with the facts of a description that it has not."""
        tags = sorted({*self.tags, *description.tags})
        return replace(
            self,
            alt_text=self.alt_text or description.alt_text,
            rating=self.rating or description.rating,
            tags=tuple(tags) if len(tags) <= MAX_TAGS_PER_IMAGE else self.tags,
            description=description,
        )


class Unchanged(Enum):
    """The type of a fact that an update leaves as it is."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

Kept: TypeAlias = Literal[Unchanged.UNCHANGED]


@dataclass(frozen=True, slots=True)
class ImageChanges:
    """New values of the facts that people edit. None removes a value, UNCHANGED keeps it."""

    alt_text: str | Kept | None = UNCHANGED
    """Trimmed; a blank one is None."""
    rating: int | Kept | None = UNCHANGED

    def __post_init__(self) -> None:
        """Normalise the values. Raises InvalidArgument."""
        if isinstance(self.alt_text, str):
            object.__setattr__(self, "alt_text", _clean_alt_text(self.alt_text))
        if isinstance(self.rating, int) and not MIN_RATING <= self.rating <= MAX_RATING:
            raise InvalidArgument(
                ("rating",), f"The rating is {self.rating}; it may be {MIN_RATING} to {MAX_RATING}."
            )

    @property
    def values(self) -> dict[str, object]:
        """The facts that change, by the name of the image's field."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in named.items() if value is not UNCHANGED}


def readable_alt_text(text: str) -> str | None:
    """Return a text of a file as an alt text, cut to its limit; None for a blank one."""
    cleaned = UNSTORABLE.sub("", text).strip()[:MAX_ALT_TEXT_CHARACTERS].rstrip()
    return cleaned or None


def _clean_alt_text(alt_text: str) -> str | None:
    cleaned = alt_text.strip()
    if len(cleaned) > MAX_ALT_TEXT_CHARACTERS:
        raise InvalidArgument(
            ("alt_text",),
            f"The alt text has {len(cleaned):,} characters; at most {MAX_ALT_TEXT_CHARACTERS:,} "
            "fit.",
        )
    check_text(("alt_text",), "The alt text", text=cleaned)
    return cleaned or None


ReadyPosition: TypeAlias = "tuple[datetime, UUID]"
"""When an image became READY, and its id: a position in that order."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture for an encoder: upright, in sRGB, transparent parts on white.

    Its size is bounded by what the encoder needs, whatever the size of the file's picture.
    """

    width: int
    height: int
    rgb: bytes
    """Rows from the top, three bytes a pixel: ``len(rgb) == 3 * width * height``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The result of decoding an image file once: facts, renditions, and pixels to encode."""

    content_type: str
    width: int
    height: int
    placeholder: str
    perceptual_hash: bytes
    """256 bits of the picture's structure, of which few change by re-encoding, scaling or
    brightening. FLAT for a picture without structure."""
    pixel_sha256: str
    """Of the size and the upright pixels that were decoded, lower-case hex. Equal for files that
    differ only in compression or metadata."""
    exif: Exif | None
    pixels: Pixels
    thumbnail: bytes
    large: bytes | None = None
    """None where it is rendered at its first request."""
    description: Description = Description()


def check_dimensions(width: int, height: int, *, max_pixels: int) -> None:
    """Raise TooManyPixels for a picture that is too large, too long or too narrow."""
    size = f"This picture has {width:,} x {height:,} pixels"
    if width * height > max_pixels:
        raise TooManyPixels(f"{size}; reduce it to at most {max_pixels:,} in all.")
    if max(width, height) > MAX_PICTURE_SIDE:
        raise TooManyPixels(f"{size}; reduce it to at most {MAX_PICTURE_SIDE:,} on each side.")
    if max(width, height) > MAX_ASPECT_RATIO * max(1, min(width, height)):
        raise TooManyPixels(
            f"{size}; crop it, so that its longer side is at most {MAX_ASPECT_RATIO:,} times as "
            "long as the shorter one."
        )


FLAT = bytes(32)
"""The perceptual hash of pictures without structure. It equals no other hash, not even itself."""

RENDITION_CONTENT_TYPE = "image/webp"
"""The media type of LARGE and THUMBNAIL."""


def uuid7() -> UUID:
    """Return a time-ordered UUID of version 7 (RFC 9562, section 5.7)."""
    value = first_uuid7().int | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def first_uuid7() -> UUID:
    """Return a UUID that is not above those which ``uuid7`` returns from now on."""
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80)
