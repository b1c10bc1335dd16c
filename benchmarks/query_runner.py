"""Query runners for the search benchmark: recorded vectors as queries, alone and blended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchmarks import real_clip
from domain.entities.embeddings import Query, QueryKind, QueryPart
from domain.entities.facets import Facet
from domain.entities.filters import EVERYTHING
from domain.entities.queries import ByText
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchDepth
from domain.use_cases.search.query_encoder import QueryEncoder
from domain.use_cases.search.relevance_scorer import RelevanceScorer
from domain.use_cases.search.search_images import SearchImages
from infra.clip.embedding_space import NumpyEmbeddingSpace
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.searches import PostgresKeptSearches
from tests.fakes.clock import SettableClock
from tests.fakes.imaging import FakeImaging

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from domain.entities.embeddings import Embedding, EmbeddingModel, Ranking
    from domain.entities.filters import ImageFilter
    from domain.entities.images import Pixels
    from domain.entities.searches import SearchCursor, SearchPage
    from tests.postgres_library import PostgresLibrary


class RunQuery(Protocol):
    """Runs a query, by its number."""

    def __call__(self, number: int, *, exact: bool) -> Awaitable[Ranking]:
        """Return the ranking, from an exact scan if ``exact``."""


@dataclass(frozen=True, slots=True)
class RecordedEncoder:
    """An encoder whose texts are the numbers of recorded queries."""

    queries: Sequence[Query]
    model: EmbeddingModel = real_clip.MODEL

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Return the recorded vectors."""
        return [self.queries[int(text)].embedding for text in texts]

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Raise NotImplementedError: vectors are recorded, but no pictures."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class QueryRunner:
    """Runs recorded queries against a catalog and the use cases over it."""

    catalog: PostgresLibrary
    queries: Mapping[QueryKind, Sequence[Query]]
    nouns: NDArray[np.float32]
    space: NumpyEmbeddingSpace
    search: SearchImages

    @classmethod
    def over(cls, catalog: PostgresLibrary) -> QueryRunner:
        """Return a runner for a catalog with the recorded vectors."""
        recorded, nouns = real_clip.large_library(), real_clip.nouns()
        # Every n-th query, so that the sample covers all of them.
        queries = {
            QueryKind.IMAGE: recorded.images.one_in(11).queries,
            QueryKind.TEXT: recorded.texts.one_in(29).queries,
        }

        async def bank() -> NDArray[np.float32]:
            return nouns

        space = NumpyEmbeddingSpace(catalog, bank, model=real_clip.MODEL)
        search = SearchImages(
            QueryEncoder(
                RecordedEncoder(queries[QueryKind.TEXT]), FakeImaging(), catalog, space, 0
            ),
            RelevanceScorer(space, real_clip.MODEL),
            catalog,
            catalog,
            PostgresDuplicates(catalog.engine, catalog.model),
            PostgresKeptSearches(catalog.engine),
            SettableClock(),
        )
        return cls(catalog, queries, nouns, space, search)

    def plain(self, kind: QueryKind, criteria: ImageFilter, hits: int) -> RunQuery:
        """Return a runner of searches for a picture or a text."""

        async def run(number: int, *, exact: bool) -> Ranking:
            query = self.queries[kind][number]
            return await self.catalog.search(query, criteria, limit=hits, exact=exact)

        return run

    def blended(self, hits: int) -> RunQuery:
        """Return a runner of searches for two nouns without a third."""

        async def run(number: int, *, exact: bool) -> Ranking:
            parts = tuple(
                QueryPart(self.nouns[place + 30 * number].tolist(), QueryKind.TEXT, weight)
                for place, weight in ((0, 1.0), (11, 1.0), (23, -1.0))
            )
            query = Query(await self.space.blend(parts), QueryKind.TEXT, parts)
            return await self.catalog.search(query, EVERYTHING, limit=hits, exact=exact)

        return run

    def faceted(self, kind: QueryKind) -> RunQuery:
        """Return a runner of searches with relevance of all hits and facets."""
        search = self.plain(kind, EVERYTHING, MAX_SEARCH_DEPTH)

        async def run(number: int, *, exact: bool) -> Ranking:
            ranking = await search(number, exact=exact)
            await self.search.score(self.queries[kind][number], ranking.hits)
            ids = [hit.image_id for hit in ranking.hits]
            await self.catalog.facets(ids, dict.fromkeys(Facet, 20))
            return ranking

        return run

    async def page(
        self,
        number: int,
        *,
        after: SearchCursor | None = None,
        depth: SearchDepth = SearchDepth.PAGE,
    ) -> SearchPage:
        """Return 20 hits of a search, after a cursor."""
        return await self.search(ByText(str(number)), first=20, after=after, depth=depth)
