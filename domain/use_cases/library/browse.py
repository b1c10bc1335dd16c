"""Lists images, and gets them by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.keys import Scope
from domain.entities.listing import check_page_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.filters import ImageFilter
    from domain.entities.images import Image
    from domain.entities.listing import Page, Sort, Window
    from domain.ports import Catalog


def scope_to_list(criteria: ImageFilter) -> Scope:
    """Return the scope that a caller needs to list the images that match."""
    return Scope.WRITE if criteria.deleted else Scope.READ


@dataclass(frozen=True, slots=True)
class ListImages:
    """Returns a window of the images that match, in a stable order (keyset pagination)."""

    catalog: Catalog

    async def __call__(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        check_page_size("last" if window.from_end else "first", window.size)
        return await self.catalog.list(criteria, sort, window)

    async def count(self, criteria: ImageFilter) -> int:
        """Return how many images match."""
        return await self.catalog.count(criteria)


@dataclass(frozen=True, slots=True)
class GetImages:
    """Returns the images that exist, by id."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return await self.catalog.get(ids)
