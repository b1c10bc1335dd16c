"""Changing what is said about an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import InvalidArgument
from domain.text import check_text

if TYPE_CHECKING:
    from uuid import UUID

    from domain.images import Image
    from domain.ports import Catalog

MAX_ALT_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class UpdateImage:
    """Set or, with None or a blank one, remove the alt text. Raises ImageNotFound."""

    catalog: Catalog

    async def __call__(self, image_id: UUID, *, alt_text: str | None) -> Image:
        cleaned = (alt_text or "").strip()
        if len(cleaned) > MAX_ALT_TEXT:
            raise InvalidArgument(
                "input.altText",
                f"The alt text has {len(cleaned):,} characters; at most {MAX_ALT_TEXT:,} fit.",
            )
        check_text("input.altText", "The alt text", text=cleaned)
        return await self.catalog.set_alt_text(image_id, cleaned or None)
