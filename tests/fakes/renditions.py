"""Which imported images have no LARGE yet, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from tests.fakes.catalog import MemoryCatalog

# ruff: noqa: SLF001 - this fake reads the catalog's dictionaries as an adapter reads tables


@dataclass
class MemoryRenditions:
    """Images of a catalog."""

    catalog: MemoryCatalog

    async def without_large(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        images = sorted(self.catalog._images.values(), key=lambda image: image.id)
        return [
            image
            for image in images
            if image.lacks_large and image.source and image.status is ImageStatus.READY
            if after is None or image.id > after
        ][:limit]

    async def note_large(self, image_id: UUID) -> None:
        for images in (self.catalog._images, self.catalog._deleted):
            if image_id in images:
                images[image_id] = replace(images[image_id], lacks_large=False)
