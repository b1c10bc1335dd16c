"""Scan tables, timed scans and sampled queries in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.entities.filters import EVERYTHING
from domain.entities.scans import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.scans import ScanParameters, ScanTable
    from domain.ports import VectorIndex

EXACT_MILLISECONDS = 10.0
ALL = 1_000_000


class MemoryScanTables:
    """The table of one model."""

    def __init__(self) -> None:
        self._table: ScanTable | None = None

    async def load(self) -> ScanTable | None:
        return self._table

    async def save(self, table: ScanTable) -> None:
        self._table = table

    async def reset(self) -> None:
        self._table = None


class MemoryScanTrials:
    """Scans of an index in memory.

    A scan finds one more of the nearest images with each ``step`` of ef_search, and takes a
    hundredth of ef_search in milliseconds.
    """

    def __init__(self, vectors: VectorIndex, *, step: int = 1) -> None:
        self._vectors = vectors
        self._step = step

    async def count(self) -> int:
        return len(await self._vectors.sample(ALL))

    async def nearest(self, query: Query, *, depth: int, share: float) -> Trial:
        ids = await self._nearest(query)
        return Trial(ids[: round(share * len(ids))][:depth], EXACT_MILLISECONDS)

    async def scan(
        self, query: Query, parameters: ScanParameters, *, depth: int, share: float
    ) -> Trial:
        ids = (await self._nearest(query))[: round(share * await self.count())]
        found = parameters.ef_search // self._step
        # What the scan misses is replaced by images that are farther away.
        hits = (*ids[:found], *reversed(ids[found:]))
        if not parameters.iterative:
            hits = hits[: parameters.ef_search]
        return Trial(hits[:depth], parameters.ef_search / 100)

    async def _nearest(self, query: Query) -> tuple[UUID, ...]:
        ranking = await self._vectors.search(query, EVERYTHING, limit=ALL, exact=True)
        return tuple(hit.image_id for hit in ranking.hits)


class MemoryQuerySamples:
    """Queries that a test gives."""

    def __init__(self, kept: Sequence[Query] = (), concepts: Sequence[Embedding] = ()) -> None:
        self._kept = kept
        self._concepts = concepts

    async def kept(self, limit: int) -> Sequence[Query]:
        return self._kept[:limit]

    async def concepts(self) -> Sequence[Embedding]:
        return self._concepts
