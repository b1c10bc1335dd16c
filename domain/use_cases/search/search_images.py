"""Finding images by what they show."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.listing import check_page_size
from domain.entities.near_duplicates import Collapse, collapsed
from domain.entities.queries import BySearch, SearchBy, SearchOptions
from domain.entities.searches import (
    DEPTH,
    LIFETIME,
    FoundImage,
    KeptSearch,
    SearchCursor,
    SearchPage,
    Stage,
)
from domain.errors import InvalidArgument, SearchExpired, blaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Hit, Query
    from domain.ports import (
        Catalog,
        Clock,
        Duplicates,
        KeptSearches,
        VectorIndex,
    )
    from domain.use_cases.search.query_encoder import QueryEncoder
    from domain.use_cases.search.relevance_scorer import RelevanceScorer

EVERY_HIT = SearchOptions()


def no_other_model(name: str) -> None:
    """Know of no model but one's own."""
    del name


@dataclass(frozen=True, slots=True)
class SearchImages:
    """Find the images that are nearest to a text, an example, an image or a blend, the best first.

    What a search finds is kept for an hour, up to 1,000 hits, and its pages are cut from that:
    nothing repeats or is skipped while images come and go, and deleted ones drop out. A kept search
    belongs to the model that made it: whatever is asked about it, that one answers.
    """

    questions: QueryEncoder
    judge: RelevanceScorer
    catalog: Catalog
    vectors: VectorIndex
    duplicates: Duplicates
    searches: KeptSearches
    clock: Clock
    others: Callable[[str], SearchImages | None] = no_other_model
    """Returns what searches by another model of the library, by its name, if it is loaded."""

    async def __call__(
        self,
        by: SearchBy,
        narrowing: SearchOptions = EVERY_HIT,
        *,
        first: int = 20,
        after: SearchCursor | None = None,
    ) -> SearchPage:
        """Return the page of ``first`` hits behind ``after``.

        Raises InvalidArgument, ImageNotFound, SearchExpired, UploadRefusal or Overloaded.
        """
        check_page_size("first", first)
        if after is not None:
            kept, maker = await self._recall(after.search_id, argument="after")
            return await maker._turn(by, narrowing, kept, first=first, after=after)  # noqa: SLF001 - of its kind
        if isinstance(by, BySearch):
            kept, maker = await self._recall(by.search_id, argument="by.searchId")
            return await maker._ask_again(kept, narrowing, first=first)  # noqa: SLF001 - of its kind
        watch = Stopwatch()
        with watch("encode"):
            question, query = await self.questions(by)
        search = await self._answer(question, query, narrowing, watch)
        return await self._page(search, narrowing, watch, first=first)

    def of(self, kept: KeptSearch) -> SearchImages:
        """Return what searches by the model that made a search. Raises SearchExpired."""
        if kept.model == self.judge.model.name:
            return self
        if other := self.others(kept.model):
            return other
        raise SearchExpired(
            "The search was made with a model that is not in use any more; search again."
        )

    async def _turn(
        self,
        by: SearchBy,
        narrowing: SearchOptions,
        search: KeptSearch,
        *,
        first: int,
        after: SearchCursor,
    ) -> SearchPage:
        await self._check_cursor(after, search, by, narrowing)
        return await self._page(search, narrowing, Stopwatch(), first=first, rank=after.rank)

    async def _ask_again(
        self, kept: KeptSearch, narrowing: SearchOptions, *, first: int
    ) -> SearchPage:
        watch, search = Stopwatch(), kept
        if kept.conditions != _digest(narrowing):
            search = await self._answer(kept.question, kept.query, narrowing, watch)
        return await self._page(search, narrowing, watch, first=first)

    async def _page(
        self,
        search: KeptSearch,
        narrowing: SearchOptions,
        watch: Stopwatch,
        *,
        first: int,
        rank: int = 0,
    ) -> SearchPage:
        with watch("fetch"):
            found, has_next = await self._fetch(search, first=first, rank=rank)
        return SearchPage(
            search=search,
            narrowing=narrowing,
            found=found,
            has_next=has_next,
            has_previous=rank > 0,
            stages=watch.stages("encode", "search", "fetch"),
        )

    async def relevant(self, page: SearchPage) -> list[Hit]:
        """Return the hits of a page's search, on all pages, that are relevant and still here.

        That is as relevant as was asked for, or likely an answer where nothing was.
        """
        if (maker := self.of(page.search)) is not self:
            return await maker.relevant(page)
        least = page.narrowing.min_relevance
        relevant = await self.judge.relevant(page.search.query, page.search.hits, least=least)
        if least is None:
            return relevant
        # These were judged when they were found, and some may have been deleted since.
        here = await self.catalog.get([hit.image_id for hit in relevant])
        return [hit for hit in relevant if hit.image_id in here]

    async def query(self, by: SearchBy) -> Query:
        """Return the point that a search looks around. Raises what a search does."""
        if not isinstance(by, BySearch):
            return (await self.questions(by))[1]
        kept, maker = await self._recall(by.search_id, argument="by.searchId")
        if maker is not self:
            raise SearchExpired(
                "The search was made with another model than the one that answers; search again."
            )
        return kept.query

    async def plan(self, page: SearchPage) -> str:
        """Return how the database carries out a page's search."""
        return await self.of(page.search).vectors.explain(
            page.search.query, page.narrowing.criteria, limit=DEPTH, exact=page.search.exact
        )

    async def recall(self, page: SearchPage) -> float | None:
        """Return the part of what an exact search has in a page's place that the page holds.

        None where the answer is exact by itself, or where there is nothing to hold.
        """
        if page.search.exact or not page.found:
            return None
        if (maker := self.of(page.search)) is not self:
            return await maker.recall(page)
        hits, _ = await self._find(page.search.query, replace(page.narrowing, exact=True))
        exact = [hit.image_id for hit in hits]
        before = page.search.hits[: page.found[0].cursor.rank - 1]
        # Of those before the page, the deleted ones do not count: exactness knows them no more.
        first = len({hit.image_id for hit in before}.intersection(exact))
        expected = set(exact[first : first + len(page.found)])
        held = expected & {found.image.id for found in page.found}
        return len(held) / len(expected) if expected else None

    async def _answer(
        self, question: str, query: Query, narrowing: SearchOptions, watch: Stopwatch
    ) -> KeptSearch:
        with watch("search"):
            hits, exact = await self._find(query, narrowing)
        search = KeptSearch(
            id=uuid7(),
            created_at=self.clock(),
            model=self.judge.model.name,
            query=query,
            question=question,
            conditions=_digest(narrowing),
            hits=tuple(hits),
            exact=exact,
        )
        await self.searches.save(search)
        return search

    async def _find(self, query: Query, narrowing: SearchOptions) -> tuple[Sequence[Hit], bool]:
        """Return the hits that are an answer, and whether every candidate was compared."""
        ranking = await self.vectors.search(
            query, narrowing.criteria, limit=DEPTH, exact=narrowing.exact
        )
        hits: Sequence[Hit] = ranking.hits
        if narrowing.min_relevance is not None:
            hits = await self.judge.relevant(query, hits, least=narrowing.min_relevance)
        if narrowing.collapse is not Collapse.NONE:
            links = await self.duplicates.pairs_among(
                [hit.image_id for hit in hits], narrowing.collapse
            )
            hits = [replace(best.hit, stands_for=best.count) for best in collapsed(hits, links)]
        return hits, ranking.exact

    async def _check_cursor(
        self, after: SearchCursor, search: KeptSearch, by: SearchBy, narrowing: SearchOptions
    ) -> None:
        if not 0 <= after.rank <= len(search.hits):
            raise InvalidArgument("after", "The cursor is made up; take one from a page.")
        if search.conditions != _digest(narrowing) or not await self._asks(by, search):
            raise InvalidArgument(
                "after", "The cursor belongs to another search; repeat that one, or leave it out."
            )

    async def _asks(self, by: SearchBy, search: KeptSearch) -> bool:
        """Tell whether ``by`` is the question that ``search`` answered."""
        if isinstance(by, BySearch):
            if by.search_id == search.id:
                return True
            asked, _ = await self._recall(by.search_id, argument="by.searchId")
            return asked.question == search.question
        return await self.questions.digest(by) == search.question

    async def _recall(self, search_id: UUID, *, argument: str) -> tuple[KeptSearch, SearchImages]:
        """Return a kept search, and what searches by its model."""
        with blaming(argument):
            kept = await self.searches.load(search_id, since=self.clock() - LIFETIME)
            return kept, self.of(kept)

    async def _fetch(
        self, search: KeptSearch, *, first: int, rank: int
    ) -> tuple[tuple[FoundImage, ...], bool]:
        """Return the images behind a rank, and whether there are more."""
        found: list[FoundImage] = []
        behind, batch_size = rank, first + 1
        # One more than the page shows whether there is a next one.
        while len(found) <= first and behind < len(search.hits):
            hits = search.hits[behind : behind + batch_size]
            images = await self.catalog.get([hit.image_id for hit in hits])
            found += [
                FoundImage(images[hit.image_id], hit, SearchCursor(search.id, place))
                for place, hit in enumerate(hits, behind + 1)
                if hit.image_id in images
            ]
            # Twice as far each time: few steps, also where nearly everything was deleted.
            behind, batch_size = behind + batch_size, 2 * batch_size
        return tuple(found[:first]), len(found) > first


class Stopwatch:
    """Takes the time of the stages of a piece of work."""

    def __init__(self) -> None:
        """Start with nothing done."""
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Take the time of a stage."""
        start = time.perf_counter()
        yield
        self._seconds[name] = time.perf_counter() - start

    def stages(self, *names: str) -> tuple[Stage, ...]:
        """Return these stages in order; one that was not needed took no time."""
        return tuple(Stage(name, 1_000 * self._seconds.get(name, 0.0)) for name in names)


def _digest(narrowing: SearchOptions) -> str:
    return hashlib.sha256(repr(narrowing).encode(errors="replace")).hexdigest()
