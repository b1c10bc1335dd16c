"""The nouns of the library: an image, what its file says, and the renditions it is served in."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LARGE_SIDE = 1600
THUMBNAIL_SIDE = 320


class Variant(StrEnum):
    """The forms in which an image is kept: the bytes sent, and two upright ones for screens."""

    ORIGINAL = "original"
    LARGE = "large"
    THUMBNAIL = "thumbnail"

    def key_of(self, image_id: UUID) -> str:
        """Where storage keeps this form. The id, never the digest, never a client's words."""
        return f"{image_id}/{self.value}"


class ImageStatus(StrEnum):
    """How far the work on an image has come. Only READY images have an embedding."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A place on WGS 84, in signed degrees: north and east are positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Exif:
    """What the camera wrote into the file, as far as it could be read."""

    taken_at: datetime | None = None
    """An instant. Where the camera gave no offset, its clock is read as UTC."""
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


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of a picture lie that were not copied: a file or an object of a bucket."""

    location: str
    """``s3://bucket/key`` or ``file:///folder/name``."""
    version: str
    """What changes with the bytes: an ETag, or a file's time and size."""

    @property
    def name(self) -> str:
        """The last part of the location, as people read it."""
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
    """As ``Picture`` has it; None for an image that was kept before there were any."""
    pixel_sha256: str | None = None
    """As ``Picture`` has it; None also where the file can no longer be read."""
    failure_reason: str | None = None
    alt_text: str | None = None
    tags: tuple[str, ...] = ()
    """Without duplicates, in alphabetical order."""
    exif: Exif | None = None
    source: Source | None = None
    """Where the original lies; None where it is in storage, as LARGE and THUMBNAIL always are."""

    def with_picture(self, picture: Picture) -> Image:
        """Return the image READY, with all that its file says."""
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
        )


ReadyPosition: TypeAlias = "tuple[datetime, UUID]"
"""When an image became READY, and its id: a place in the order of that."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture: upright, sRGB, on white where it was transparent."""

    width: int
    height: int
    rgb: bytes
    """Rows from the top, three bytes a pixel: ``len(rgb) == 3 * width * height``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What one decoding of an image file yields: facts, renditions, and pixels to encode."""

    content_type: str
    width: int
    height: int
    placeholder: str
    perceptual_hash: bytes
    """256 bits of what the picture shows: few differ after re-encoding, reducing or brightening.

    ``FLAT`` where it shows nothing that noise could not.
    """
    pixel_sha256: str
    """Of its size and its upright pixels, as far as they are looked at, lower-case hex: the same
    for files that differ in packing or metadata alone."""
    exif: Exif | None
    pixels: Pixels
    large: bytes
    thumbnail: bytes


FLAT = bytes(32)
"""The perceptual hash of pictures without structure. It says nothing, so it is like no other."""

RENDITION_CONTENT_TYPE = "image/webp"
"""The media type of LARGE and THUMBNAIL."""


def uuid7() -> UUID:
    """Return a time-ordered UUID of version 7 (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
