"""The embeddings of the library, searched by similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, Query, Ranking
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter
    from domain.entities.scans import ScanParameters, ScanTable, Trial


class VectorIndex(Protocol):
    """The embeddings of READY images by one model."""

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        """Return the nearest images among those that match. ``exact`` compares every vector.

        The facts of so many ``images`` come with the ranking, those of the best hits.
        """

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        """Return the database's plan of such a search."""

    async def sample(self, size: int) -> Sequence[Embedding]:
        """Return about ``size`` embeddings, chosen at random, or all where there are fewer."""

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        """Return the embeddings of images that exist and are READY, by id."""

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        """Return the cosine similarity to each point, for images that exist and are READY."""

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        """Count for each point the READY images that are nearer to it than to the other points.

        A tie counts for the first point.
        """


class ScanTrials(Protocol):
    """Timed scans of the embeddings of one model, with parameters of the caller's choice.

    A ``share`` below 1 stands for a filter that so many images match, chosen at random.
    """

    async def count(self) -> int:
        """Return the number of embeddings. Raises Misconfigured where the index is not built."""

    async def nearest(self, query: Query, *, depth: int, share: float) -> Trial:
        """Compare every embedding, and return the nearest."""

    async def scan(
        self, query: Query, parameters: ScanParameters, *, depth: int, share: float
    ) -> Trial:
        """Scan the index, and return the nearest that it finds."""


class ScanTables(Protocol):
    """The stored table of parameters for scans of one model's embeddings."""

    async def load(self) -> ScanTable | None:
        """Return the table; None stands for the default one."""

    async def save(self, table: ScanTable) -> None:
        """Store a table in place of the one before. All servers use it from a moment later on."""

    async def reset(self) -> None:
        """Delete the table."""


class QuerySamples(Protocol):
    """Queries to measure searches with."""

    async def kept(self, limit: int) -> Sequence[Query]:
        """Return the queries of searches by one model that are still kept, the latest first."""

    async def concepts(self) -> Sequence[Embedding]:
        """Return the embeddings of texts, each of which names a thing: "a boat"."""
