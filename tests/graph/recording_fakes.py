"""Fakes that record their calls, and fail on demand."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
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


class RecordingCatalog(MemoryCatalog):
    """A catalog that records its calls, and raises ``error`` or is ``slow`` on demand.

    Its rankings are exact only when an exact search is requested.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.ranked_depths: list[int] = []
        self.get_calls = 0
        self.count_calls = 0
        self.error: Exception | None = None
        self.slow = False
        self.cancelled = asyncio.Event()
        """Set when a slow call was cancelled."""

    @property
    def scans(self) -> list[str]:
        """The calls that count or compare many images."""
        return [each for each in self.calls if each in {"facets", "count_nearest", "cosines"}]

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        self.get_calls += 1
        self.calls.append("get")
        return await super().get(ids)

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        self.calls.append("search")
        self.ranked_depths.append(limit)
        ranking = await super().search(query, criteria, limit=limit, images=images)
        return replace(ranking, exact=exact)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        self.calls.append("explain")
        return await super().explain(query, criteria, limit=limit, exact=exact)

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        if most:
            self.calls.append("facets")
        return await super().facets(selection, most)

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        self.calls.append("count_nearest")
        return await super().count_nearest(selection, points)

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        self.calls.append("cosines")
        return await super().cosines(ids, points)

    async def count(self, criteria: ImageFilter) -> int:
        self.count_calls += 1
        self._raise_error()
        return await super().count(criteria)

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        if self.slow:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return await super().list(criteria, sort, window)

    async def add(self, image: Image, embedding: Embedding) -> Image:
        self._raise_error()
        return await super().add(image, embedding)

    def _raise_error(self) -> None:
        if self.error:
            raise self.error


class FailingKeys(MemoryKeys):
    """Keys that raise ``error`` on demand."""

    error: Exception | None = None

    async def find(self, sha256: str) -> ApiKey | None:
        if self.error:
            raise self.error
        return await super().find(sha256)


class RecordingStorage(MemoryStorage):
    """A storage that records which of its blobs were closed, and raises ``error`` on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []
        self.error: Exception | None = None

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        if self.error:
            raise self.error
        blob = await super().open(key, byte_range)
        return Blob(blob.size, self._recorded(key, blob))

    async def _recorded(self, key: str, blob: Blob) -> AsyncGenerator[bytes]:
        try:
            async for chunk in blob.chunks:
                yield chunk
        finally:
            self.closed.append(key)
