"""Places where clients put files themselves, and what they say of a file beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.images import Image

TARGET_LIFETIME = timedelta(hours=1)
"""How long a target is there: for a file to be sent to it, and for that to be said."""

MAX_TARGETS_PER_CALL = 100
"""Of one call."""


@dataclass(frozen=True, slots=True)
class AnnouncedFile:
    """A file that a client wants to send."""

    filename: str
    content_type: str
    byte_size: int
    sha256: str | None = None
    """Of its bytes, in hex: a picture that is known by it need not be sent."""


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """A place for one file, and the image that it has become, if it has."""

    id: UUID
    filename: str
    content_type: str
    """As announced: what the bytes are is looked at when they are here."""
    byte_size: int
    sha256: str | None
    expires_at: datetime
    image_id: UUID | None = None
    is_duplicate: bool = False
    """Whether the image was here before the bytes came."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """How to send the bytes: every field of a form in order, and then the file."""

    url: str
    """Absolute, or a path of this server."""
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OfferedTarget:
    """A target as its client gets it: with a slot, or with the image that is here already."""

    target: UploadTarget
    slot: UploadForm | None = None
    existing: Image | None = None


@dataclass(frozen=True, slots=True)
class StagedFile:
    """Bytes that somebody sent to a target."""

    target_id: UUID
    modified_at: datetime
