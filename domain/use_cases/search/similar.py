"""Finds images that look like an image of the library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.filters import EVERYTHING
from domain.entities.queries import ByImage, SearchOptions
from domain.entities.searches import SearchDepth
from domain.errors import ImageNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.filters import ImageFilter
    from domain.entities.searches import SearchCursor, SearchPage
    from domain.use_cases.search.search_images import SearchImages


@dataclass(frozen=True, slots=True)
class SimilarImages:
    """Finds the images most similar to an image, without the image itself."""

    search: SearchImages

    async def __call__(
        self,
        image_id: UUID,
        *,
        criteria: ImageFilter = EVERYTHING,
        first: int = 20,
        after: SearchCursor | None = None,
        depth: SearchDepth = SearchDepth.PAGE,
    ) -> SearchPage:
        others = replace(criteria, ids_not_in=(*(criteria.ids_not_in or ()), image_id))
        try:
            return await self.search(
                ByImage(image_id), SearchOptions(others), first=first, after=after, depth=depth
            )
        except ImageNotFound as refusal:
            # The id is not part of the caller's input.
            refusal.location = ()
            raise
