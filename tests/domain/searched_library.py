"""A library of images at angles, which is searched over fakes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.images import Image, ImageStatus, uuid7
from domain.entities.searches import SEARCH_DEPTHS
from domain.use_cases.search.query_encoder import QueryEncoder
from domain.use_cases.search.relevance_scorer import RelevanceScorer
from domain.use_cases.search.search_images import SearchImages
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.embedding_space import FakeEmbeddingSpace
from tests.fakes.encoder import FakeEncoder
from tests.fakes.imaging import FakeImaging
from tests.fakes.kept_searches import MemoryKeptSearches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Query, Ranking
    from domain.entities.filters import ImageFilter


class CountingCatalog(MemoryCatalog):
    """Counts its queries for images, and records the depths of searches."""

    queries = 0

    def __init__(self) -> None:
        super().__init__()
        self.ranked_depths: list[int] = []

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        self.ranked_depths.append(limit)
        return await super().search(query, criteria, limit=limit, exact=exact, images=images)

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        self.queries += 1
        return await super().get(ids)


@dataclass
class SearchedLibrary:
    """Images with two-dimensional embeddings, and a search among them."""

    catalog: CountingCatalog = field(default_factory=CountingCatalog)
    clock: SettableClock = field(default_factory=SettableClock)
    searches: MemoryKeptSearches = field(default_factory=MemoryKeptSearches)
    depths: Sequence[int] = SEARCH_DEPTHS

    @property
    def search(self) -> SearchImages:
        encoder = FakeEncoder(dimensions=2)
        space = FakeEmbeddingSpace(self.catalog)
        return SearchImages(
            QueryEncoder(encoder, FakeImaging(), self.catalog, space, 100),
            RelevanceScorer(space, encoder.model),
            self.catalog,
            self.catalog,
            MemoryDuplicates(self.catalog),
            self.searches,
            self.clock,
            depths=self.depths,
        )

    async def insert(self, degrees: int) -> UUID:
        id_, angle = uuid7(), math.radians(degrees)
        image = Image(
            id=id_,
            filename="picture.png",
            content_type="image/png",
            byte_size=1,
            sha256=id_.hex,
            created_at=self.clock(),
            status=ImageStatus.READY,
        )
        await self.catalog.add(image, (math.cos(angle), math.sin(angle)))
        return id_
