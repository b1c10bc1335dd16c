"""Going through the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog


from typing import TYPE_CHECKING

from domain.entities.listing import check_page_size

if TYPE_CHECKING:
    from domain.entities.filters import ImageFilter
    from domain.entities.listing import Page, Sort, Window
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class ListImages:
    """Return a stretch of the images that match, in an order that inserts do not shuffle."""

    catalog: Catalog

    async def __call__(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        check_page_size("last" if window.from_end else "first", window.size)
        return await self.catalog.list(criteria, sort, window)

    async def count(self, criteria: ImageFilter) -> int:
        """Return how many images match."""
        return await self.catalog.count(criteria)


@dataclass(frozen=True, slots=True)
class GetImages:
    """Return those of the images that are here, by id."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return await self.catalog.get(ids)
