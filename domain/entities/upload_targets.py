"""Upload targets: clients announce a file, send it to a staging area, and complete the target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.images import Image

TARGET_LIFETIME = timedelta(hours=1)
"""How long a target can receive a file and be completed."""

MAX_TARGETS_PER_CALL = 100


@dataclass(frozen=True, slots=True)
class AnnouncedFile:
    """A file that a client wants to send."""

    filename: str
    content_type: str
    """As the client says. Browsers leave it empty for formats that they do not know."""
    byte_size: int
    sha256: str | None = None
    """Of the bytes, in hex. With it, a file that is already an image is not sent again."""


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """A target for one file. ``image_id`` is None until the target is completed."""

    id: UUID
    filename: str
    content_type: str
    """As expected of the announced file. The bytes are inspected when the target is completed."""
    byte_size: int
    sha256: str | None
    expires_at: datetime
    image_id: UUID | None = None
    is_duplicate: bool = False
    """Whether the image existed before the target was completed."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A multipart form: clients send every field in order, and then the file."""

    url: str
    """Absolute, or a path of this server."""
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OfferedTarget:
    """A target as its client gets it: with a form, or with the image that already exists."""

    target: UploadTarget
    form: UploadForm | None = None
    existing: Image | None = None


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file in the staging area."""

    target_id: UUID
    modified_at: datetime
