"""Searches images by a query, and cuts stable pages from the kept results."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.listing import check_page_size
from domain.entities.near_duplicates import Collapse, collapsed
from domain.entities.queries import BySearch, SearchOptions
from domain.entities.searches import (
    MAX_SEARCH_DEPTH,
    SEARCH_LIFETIME,
    FoundImage,
    KeptSearch,
    SearchCursor,
    SearchPage,
    Stage,
)
from domain.errors import InvalidArgument, SearchExpired, locating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Hit, Query
    from domain.entities.queries import SearchBy
    from domain.ports import Catalog, Clock, Duplicates, KeptSearches, VectorIndex
    from domain.use_cases.search.query_encoder import QueryEncoder
    from domain.use_cases.search.relevance_scorer import RelevanceScorer

NO_OPTIONS = SearchOptions()


def no_other_model(name: str) -> None:
    """Return None: no other model is loaded."""
    del name


@dataclass(frozen=True, slots=True)
class SearchImages:
    """Finds the images nearest to a text, an example, an image or a blend, best first.

    The hits of a search, at most MAX_SEARCH_DEPTH, are kept for SEARCH_LIFETIME, and its pages are
    cut from them: nothing repeats or is skipped while images come and go. Deleted images are left
    out. A kept search is continued by the model that made it, even when another one is active.
    """

    encode_query: QueryEncoder
    score: RelevanceScorer
    catalog: Catalog
    vectors: VectorIndex
    duplicates: Duplicates
    searches: KeptSearches
    clock: Clock
    search_of: Callable[[str], SearchImages | None] = no_other_model
    """Returns the search of another loaded model by the model's name."""

    async def __call__(
        self,
        by: SearchBy,
        options: SearchOptions = NO_OPTIONS,
        *,
        first: int = 20,
        after: SearchCursor | None = None,
    ) -> SearchPage:
        """Return the ``first`` hits after a cursor.

        Raises InvalidArgument, ImageNotFound, SearchExpired, UploadRefusal or Overloaded.
        """
        check_page_size("first", first)
        if after is not None:
            with locating("after"):
                kept, maker = await self._load(after.search_id)
            return await maker._next_page(by, options, kept, first=first, after=after)  # noqa: SLF001 - same class
        if isinstance(by, BySearch):
            with locating("search_id"):
                kept, maker = await self._load(by.search_id)
            return await maker._run_again(kept, options, first=first)  # noqa: SLF001 - same class
        stopwatch = Stopwatch()
        with stopwatch("encode"):
            digest, query = await self.encode_query(by)
        search = await self._search(digest, query, options, stopwatch)
        return await self._page(search, options, stopwatch, first=first)

    def of(self, kept: KeptSearch) -> SearchImages:
        """Return the search of the model that made a kept search. Raises SearchExpired."""
        if kept.model == self.score.model.name:
            return self
        if other := self.search_of(kept.model):
            return other
        raise SearchExpired(
            "The search was made with a model that is not in use any more; search again."
        )

    async def relevant(self, page: SearchPage) -> list[Hit]:
        """Return the relevant hits of a page's search, on all its pages, that still exist.

        Relevant means at least ``min_relevance``, or LIKELY where none was given.
        """
        if (maker := self.of(page.search)) is not self:
            return await maker.relevant(page)
        least = page.options.min_relevance
        relevant = await self.score.relevant(page.search.query, page.search.hits, least=least)
        if least is None:
            return relevant
        # These were scored when they were found, and some may have been deleted since.
        existing = await self.catalog.get([hit.image_id for hit in relevant])
        return [hit for hit in relevant if hit.image_id in existing]

    async def query(self, by: SearchBy) -> Query:
        """Return the embedding of a query. Raises the same refusals as a search."""
        if not isinstance(by, BySearch):
            return (await self.encode_query(by))[1]
        with locating("search_id"):
            kept, maker = await self._load(by.search_id)
            if maker is not self:
                raise SearchExpired(
                    "The search was made with another model than the active one; search again."
                )
        return kept.query

    async def plan(self, page: SearchPage) -> str:
        """Return the database's plan of a page's search."""
        return await self.of(page.search).vectors.explain(
            page.search.query,
            page.options.criteria,
            limit=MAX_SEARCH_DEPTH,
            exact=page.search.exact,
        )

    async def recall(self, page: SearchPage) -> float | None:
        """Return the share of the exact results at a page's ranks that the page has.

        None where the search is exact, and on an empty page.
        """
        if page.search.exact or not page.found:
            return None
        if (maker := self.of(page.search)) is not self:
            return await maker.recall(page)
        hits, _ = await self._find(page.search.query, replace(page.options, exact=True))
        exact = [hit.image_id for hit in hits]
        before = page.search.hits[: page.found[0].cursor.rank - 1]
        # Deleted images before the page do not count: the exact search does not find them.
        first = len({hit.image_id for hit in before}.intersection(exact))
        expected = set(exact[first : first + len(page.found)])
        found = expected & {each.image.id for each in page.found}
        return len(found) / len(expected) if expected else None

    async def _next_page(
        self,
        by: SearchBy,
        options: SearchOptions,
        search: KeptSearch,
        *,
        first: int,
        after: SearchCursor,
    ) -> SearchPage:
        await self._check_cursor(after, search, by, options)
        return await self._page(search, options, Stopwatch(), first=first, rank=after.rank)

    async def _run_again(
        self, kept: KeptSearch, options: SearchOptions, *, first: int
    ) -> SearchPage:
        stopwatch, search = Stopwatch(), kept
        if kept.options_digest != _digest(options):
            search = await self._search(kept.query_digest, kept.query, options, stopwatch)
        return await self._page(search, options, stopwatch, first=first)

    async def _page(
        self,
        search: KeptSearch,
        options: SearchOptions,
        stopwatch: Stopwatch,
        *,
        first: int,
        rank: int = 0,
    ) -> SearchPage:
        with stopwatch("fetch"):
            found, has_next = await self._fetch(search, first=first, rank=rank)
        return SearchPage(
            search=search,
            options=options,
            found=found,
            has_next=has_next,
            has_previous=rank > 0,
            stages=stopwatch.stages("encode", "search", "fetch"),
        )

    async def _search(
        self, query_digest: str, query: Query, options: SearchOptions, stopwatch: Stopwatch
    ) -> KeptSearch:
        with stopwatch("search"):
            hits, exact = await self._find(query, options)
        search = KeptSearch(
            id=uuid7(),
            created_at=self.clock(),
            model=self.score.model.name,
            query=query,
            query_digest=query_digest,
            options_digest=_digest(options),
            hits=tuple(hits),
            exact=exact,
        )
        await self.searches.save(search)
        return search

    async def _find(self, query: Query, options: SearchOptions) -> tuple[Sequence[Hit], bool]:
        """Return the hits, and whether every candidate was compared."""
        ranking = await self.vectors.search(
            query, options.criteria, limit=MAX_SEARCH_DEPTH, exact=options.exact
        )
        hits: Sequence[Hit] = ranking.hits
        if options.min_relevance is not None:
            hits = await self.score.relevant(query, hits, least=options.min_relevance)
        if options.collapse is not Collapse.NONE:
            ids = [hit.image_id for hit in hits]
            pairs = await self.duplicates.pairs_among(ids, options.collapse)
            hits = [replace(best.hit, stands_for=best.count) for best in collapsed(hits, pairs)]
        return hits, ranking.exact

    async def _check_cursor(
        self, after: SearchCursor, search: KeptSearch, by: SearchBy, options: SearchOptions
    ) -> None:
        if not 0 <= after.rank <= len(search.hits):
            raise InvalidArgument(("after",), "The cursor is made up; take one from a page.")
        if search.options_digest != _digest(options) or not await self._is_query_of(by, search):
            raise InvalidArgument(
                ("after",),
                "The cursor belongs to another search; repeat that one, or leave it out.",
            )

    async def _is_query_of(self, by: SearchBy, search: KeptSearch) -> bool:
        if not isinstance(by, BySearch):
            return await self.encode_query.digest(by) == search.query_digest
        if by.search_id == search.id:
            return True
        with locating("search_id"):
            other, _ = await self._load(by.search_id)
        return other.query_digest == search.query_digest

    async def _load(self, search_id: UUID) -> tuple[KeptSearch, SearchImages]:
        """Return a kept search, and the search of its model."""
        kept = await self.searches.load(search_id, since=self.clock() - SEARCH_LIFETIME)
        return kept, self.of(kept)

    async def _fetch(
        self, search: KeptSearch, *, first: int, rank: int
    ) -> tuple[tuple[FoundImage, ...], bool]:
        """Return the images after a rank, and whether there are more."""
        found: list[FoundImage] = []
        start, count = rank, first + 1
        # One image more than the page has tells whether there is a next page.
        while len(found) <= first and start < len(search.hits):
            hits = search.hits[start : start + count]
            images = await self.catalog.get([hit.image_id for hit in hits])
            found += [
                FoundImage(images[hit.image_id], hit, SearchCursor(search.id, after))
                for after, hit in enumerate(hits, start + 1)
                if hit.image_id in images
            ]
            # The steps double, so that few are needed where most hits were deleted.
            start, count = start + count, 2 * count
        return tuple(found[:first]), len(found) > first


class Stopwatch:
    """Measures the duration of the stages of a search."""

    def __init__(self) -> None:
        """Start without any stage."""
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a stage."""
        start = time.perf_counter()
        yield
        self._seconds[name] = time.perf_counter() - start

    def stages(self, *names: str) -> tuple[Stage, ...]:
        """Return these stages in order, with zero for a stage that was not needed."""
        return tuple(Stage(name, 1_000 * self._seconds.get(name, 0.0)) for name in names)


def _digest(options: SearchOptions) -> str:
    """Return a digest of the options that differ from the defaults.

    An option that is added later leaves the digests of kept searches as they are.
    """
    given = [
        f"{field.name} {value!r}"
        for each in (options, options.criteria)
        for field in fields(each)
        if field.name != "criteria" and (value := getattr(each, field.name)) != field.default
    ]
    return hashlib.sha256("\0".join(given).encode(errors="replace")).hexdigest()
