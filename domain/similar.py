"""Finding images that look like one of the library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.errors import ImageNotFound
from domain.filters import EVERYTHING
from domain.searches import ByImage, Narrowing

if TYPE_CHECKING:
    from uuid import UUID

    from domain.filters import ImageFilter
    from domain.search import SearchImages
    from domain.searches import SearchCursor, SearchPage


@dataclass(frozen=True, slots=True)
class SimilarImages:
    """Find the images that look most like one of them, never itself."""

    search: SearchImages

    async def __call__(
        self,
        image_id: UUID,
        *,
        criteria: ImageFilter = EVERYTHING,
        first: int = 20,
        after: SearchCursor | None = None,
    ) -> SearchPage:
        others = replace(criteria, ids_not_in=(*(criteria.ids_not_in or ()), image_id))
        try:
            return await self.search(ByImage(image_id), Narrowing(others), first=first, after=after)
        except ImageNotFound as refusal:
            # Nobody gave it as an argument.
            refusal.argument = None
            raise
