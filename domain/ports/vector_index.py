"""The embeddings of the library, searched by similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, Query, Ranking
    from domain.entities.facets import Selection
    from domain.entities.filters import ImageFilter


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
