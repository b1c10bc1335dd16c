"""Walks through all images of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.entities.filters import EVERYTHING
from domain.entities.listing import Sort, Window, position_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from domain.entities.images import Image
    from domain.ports import Catalog

WALK_PAGE_SIZE = 500
"""How many images are read at a time."""


async def every_image(catalog: Catalog) -> AsyncGenerator[Image]:
    """Yield all images that are not in the trash, oldest first."""
    sort = Sort(descending=False)
    window = Window(WALK_PAGE_SIZE)
    while (page := await catalog.list(EVERYTHING, sort, window)).images:
        for image in page.images:
            yield image
        window = Window(WALK_PAGE_SIZE, after=position_of(page.images[-1], sort))
