"""Images for tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from domain.entities.images import Image, ImageStatus, uuid7

if TYPE_CHECKING:
    from uuid import UUID

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def image_with(id_: UUID | None = None, **facts: Any) -> Image:  # noqa: ANN401 - each fact has its own type
    """Return an image with a unique digest and these facts."""
    id_ = id_ or uuid7()
    plain = Image(
        id=id_,
        filename="photo.jpg",
        content_type="image/jpeg",
        byte_size=1_000,
        sha256=hashlib.sha256(id_.bytes).hexdigest(),
        created_at=NOON,
        status=ImageStatus.READY,
        width=640,
        height=480,
    )
    return replace(plain, **facts)
