"""What the benchmark of searches asks: recorded vectors as queries, alone and blended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchmarks import real_clip
from domain.embeddings import Part, Query, QueryKind
from domain.facets import Facet
from domain.filters import EVERYTHING
from domain.judge import JudgeHits
from domain.questions import Questions
from domain.search import SearchImages
from domain.searches import DEPTH, ByText, SearchCursor
from infra.numpy_space import NumpySpace
from infra.postgres import PostgresDuplicates, PostgresSearches
from tests.fakes.clock import SettableClock
from tests.fakes.imaging import FakeImaging

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from uuid import UUID

    import numpy as np
    from numpy.typing import NDArray

    from domain.embeddings import Embedding, EmbeddingModel, Ranking
    from domain.filters import ImageFilter
    from domain.images import Pixels
    from domain.searches import SearchPage
    from infra.postgres import PostgresCatalog


class Ask(Protocol):
    """Asks a question, by its number."""

    def __call__(self, number: int, *, exact: bool) -> Awaitable[Ranking]:
        """Return what is found."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An encoder that knows each text by its number."""

    queries: Sequence[Query]
    model: EmbeddingModel = real_clip.MODEL

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Return the recorded vectors."""
        return [self.queries[int(text)].embedding for text in texts]

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """No pictures were recorded, only their vectors."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a catalog, and what stands on it."""

    catalog: PostgresCatalog
    queries: Mapping[QueryKind, Sequence[Query]]
    nouns: NDArray[np.float32]
    space: NumpySpace
    search: SearchImages

    @classmethod
    def over(cls, catalog: PostgresCatalog) -> Asker:
        """Ask a catalog what was recorded."""
        recorded, nouns = real_clip.large_library(), real_clip.nouns()
        # Steps that spread the questions over all that there are.
        queries = {
            QueryKind.IMAGE: recorded.images.one_in(11).queries,
            QueryKind.TEXT: recorded.texts.one_in(29).queries,
        }

        async def bank() -> NDArray[np.float32]:
            return nouns

        space = NumpySpace(catalog, bank, model=real_clip.MODEL)
        assert catalog.model is not None  # noqa: S101 - it is searched
        search = SearchImages(
            Questions(Recorded(queries[QueryKind.TEXT]), FakeImaging(), catalog, space, 0),
            JudgeHits(space, real_clip.MODEL),
            catalog,
            PostgresDuplicates(catalog.engine, catalog.model),
            PostgresSearches(catalog.engine),
            SettableClock(),
        )
        return cls(catalog, queries, nouns, space, search)

    def plain(self, kind: QueryKind, criteria: ImageFilter, hits: int) -> Ask:
        """Search for a picture or a text."""

        async def ask(number: int, *, exact: bool) -> Ranking:
            query = self.queries[kind][number]
            return await self.catalog.search(query, criteria, limit=hits, exact=exact)

        return ask

    def blended(self, hits: int) -> Ask:
        """Search for two nouns without a third."""

        async def ask(number: int, *, exact: bool) -> Ranking:
            parts = tuple(
                Part(self.nouns[place + 30 * number].tolist(), QueryKind.TEXT, weight)
                for place, weight in ((0, 1.0), (11, 1.0), (23, -1.0))
            )
            query = Query(await self.space.blend(parts), QueryKind.TEXT, parts)
            return await self.catalog.search(query, EVERYTHING, limit=hits, exact=exact)

        return ask

    def faceted(self, kind: QueryKind) -> Ask:
        """Search, say of every hit how relevant it is, and count facets over all."""
        search = self.plain(kind, EVERYTHING, DEPTH)

        async def ask(number: int, *, exact: bool) -> Ranking:
            ranking = await search(number, exact=exact)
            await self.search.judge(self.queries[kind][number], ranking.hits)
            ids = [hit.image_id for hit in ranking.hits]
            await self.catalog.facets(ids, dict.fromkeys(Facet, 20))
            return ranking

        return ask

    async def page(self, number: int, *, after: UUID | None) -> SearchPage:
        """Return the first 20 hits of a text's search, or the last of a search that is kept."""
        cursor = SearchCursor(after, DEPTH - 20) if after else None
        return await self.search(ByText(str(number)), first=20, after=cursor)
