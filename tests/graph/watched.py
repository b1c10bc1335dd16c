"""Fakes that note what is done to them, and break when they are told to."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from uuid import UUID

from domain.entities.embeddings import Embedding, Query, Ranking
from domain.entities.facets import Facet, FacetValue, Selection
from domain.entities.filters import ImageFilter
from domain.entities.images import Image
from domain.entities.keys import ApiKey
from domain.entities.listing import Page, Sort, Window
from domain.entities.storage import Blob, ByteRange
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.keys import MemoryKeys
from tests.fakes.storage import MemoryStorage


class WatchedCatalog(MemoryCatalog):
    """A catalog that notes what it is asked, and breaks or dawdles when it is told to.

    It says that it compared all only when it had to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.looked_up = 0
        self.counted = 0
        self.broken: Exception | None = None
        self.slow = False

    @property
    def counts(self) -> list[str]:
        """What it was asked that goes over many images or compares them."""
        return [each for each in self.asked if each in {"facets", "count_nearest", "cosines"}]

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        self.looked_up += 1
        self.asked.append("get")
        return await super().get(ids)

    async def search(
        self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool = False
    ) -> Ranking:
        self.asked.append("search")
        return Ranking((await super().search(query, criteria, limit=limit)).hits, exact)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        self.asked.append("explain")
        return await super().explain(query, criteria, limit=limit, exact=exact)

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        if most:
            self.asked.append("facets")
        return await super().facets(selection, most)

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        self.asked.append("count_nearest")
        return await super().count_nearest(selection, points)

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        self.asked.append("cosines")
        return await super().cosines(ids, points)

    async def count(self, criteria: ImageFilter) -> int:
        self.counted += 1
        self._break()
        return await super().count(criteria)

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        if self.slow:
            await asyncio.sleep(10)
        return await super().list(criteria, sort, window)

    async def add(self, image: Image, embedding: Embedding) -> Image:
        self._break()
        return await super().add(image, embedding)

    def _break(self) -> None:
        if self.broken:
            raise self.broken


class WatchedKeys(MemoryKeys):
    """Keys that break when they are told to."""

    broken: Exception | None = None

    async def find(self, sha256: str) -> ApiKey | None:
        if self.broken:
            raise self.broken
        return await super().find(sha256)


class WatchedStorage(MemoryStorage):
    """A storage that knows what of it was closed again."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        blob = await super().open(key, byte_range)
        return Blob(blob.size, self._watched(key, blob))

    async def _watched(self, key: str, blob: Blob) -> AsyncGenerator[bytes]:
        try:
            async for chunk in blob.chunks:
                yield chunk
        finally:
            self.closed.append(key)
