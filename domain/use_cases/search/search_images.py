"""Searches images by a query, and cuts stable pages from the kept results."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from domain.concurrency import beside
from domain.entities.embeddings import Hit
from domain.entities.images import ImageStatus, uuid7
from domain.entities.listing import check_page_size
from domain.entities.near_duplicates import Collapse, collapsed
from domain.entities.queries import BySearch, SearchOptions
from domain.entities.searches import (
    MAX_SEARCH_DEPTH,
    SEARCH_DEPTHS,
    SEARCH_LIFETIME,
    FoundImage,
    KeptSearch,
    SearchCursor,
    SearchDepth,
    SearchPage,
    Stage,
)
from domain.errors import InvalidArgument, SearchExpired, locating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Query, Ranking
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy
    from domain.ports import Catalog, Clock, Duplicates, KeptSearches, VectorIndex
    from domain.use_cases.search.query_encoder import QueryEncoder
    from domain.use_cases.search.relevance_scorer import RelevanceScorer

CERTAIN = 1.0
"""The score and the relevance of the image that has the bytes of an example picture, whatever the
model computes."""

PART_LOST = "This part of the search was lost; search again."
NO_OPTIONS = SearchOptions()
NO_IMAGES: Mapping[UUID, Image] = MappingProxyType({})


def no_other_model(name: str) -> None:
    """Return None: no other model is loaded."""
    del name


@dataclass(frozen=True, slots=True)
class SearchImages:
    """Finds the images nearest to a text, an example, an image or a blend, best first.

    The hits of a search are kept for SEARCH_LIFETIME, and its pages are cut from them: nothing
    repeats or is skipped while images come and go. Deleted images are left out. A search is ranked
    as deep as its pages need; it is deepened by ranking again, and by appending the hits that are
    new. A kept search is continued by the model that made it, even when another one is active.
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
    depths: Sequence[int] = SEARCH_DEPTHS
    """The depths in which a search is ranked; the last is MAX_SEARCH_DEPTH."""

    async def __call__(
        self,
        by: SearchBy,
        options: SearchOptions = NO_OPTIONS,
        *,
        first: int = 20,
        after: SearchCursor | None = None,
        depth: SearchDepth = SearchDepth.PAGE,
    ) -> SearchPage:
        """Return the ``first`` hits after a cursor. ``depth`` is what else the caller needs.

        Raises InvalidArgument, ImageNotFound, SearchExpired, UploadRefusal or Overloaded.
        """
        check_page_size("first", first)
        if after is not None:
            with locating("after"):
                kept, maker = await self._load(after.search_id)
            await maker._check_cursor(after, kept, by, options)  # noqa: SLF001 - same class
            wanted = _Wanted(first, after.rank, depth)
            return await maker._page(kept, options, wanted, Stopwatch())  # noqa: SLF001 - same class
        if isinstance(by, BySearch):
            with locating("search_id"):
                kept, maker = await self._load(by.search_id)
            return await maker._run_again(kept, options, _Wanted(first, 0, depth))  # noqa: SLF001 - same class
        stopwatch = Stopwatch()
        with stopwatch("encode"):
            digest, query = await self.encode_query(by)
        wanted = _Wanted(first, 0, depth, await self._identical(query.sha256, options))
        return await self._search(digest, query, options, wanted, stopwatch)

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
        search = await self._deepen(page.search, page.options, number=MAX_SEARCH_DEPTH)
        relevant = await self.score.relevant(search.query, search.hits, least=least)
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
            limit=page.search.ranked_depth,
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
        options = replace(page.options, exact=True)
        hits, _ = await self._rank(page.search.query, options, depth=MAX_SEARCH_DEPTH)
        exact = [hit.image_id for hit in hits]
        before = page.search.hits[: page.found[0].cursor.rank - 1]
        # Deleted images before the page do not count: the exact search does not find them.
        first = len({hit.image_id for hit in before}.intersection(exact))
        expected = set(exact[first : first + len(page.found)])
        found = expected & {each.image.id for each in page.found}
        return len(found) / len(expected) if expected else None

    async def _run_again(
        self, kept: KeptSearch, options: SearchOptions, wanted: _Wanted
    ) -> SearchPage:
        stopwatch = Stopwatch()
        if kept.options_digest == _digest(options):
            return await self._page(kept, options, wanted, stopwatch)
        wanted = replace(wanted, identical=await self._matching(_certain(kept), options))
        return await self._search(kept.query_digest, kept.query, options, wanted, stopwatch)

    async def _identical(self, sha256: str | None, options: SearchOptions) -> UUID | None:
        """Return the image with the bytes of an example picture, if it matches the filter."""
        if sha256 is None:
            return None
        image = (await self.catalog.find_by_digest([sha256])).get(sha256)
        is_found = image is not None and image.status is ImageStatus.READY
        return await self._matching(image.id if image and is_found else None, options)

    async def _matching(self, image_id: UUID | None, options: SearchOptions) -> UUID | None:
        if image_id is None:
            return None
        return image_id if await self.catalog.matching([image_id], options.criteria) else None

    async def _search(
        self,
        query_digest: str,
        query: Query,
        options: SearchOptions,
        wanted: _Wanted,
        stopwatch: Stopwatch,
    ) -> SearchPage:
        unranked = KeptSearch(
            id=uuid7(),
            created_at=self.clock(),
            model=self.score.model.name,
            query=query,
            query_digest=query_digest,
            options_digest=_digest(options),
            hits=(),
            exact=True,
            depth=0,
        )
        with stopwatch("search"):
            search, images = await self._ranked(
                unranked,
                options,
                number=wanted.number,
                images=wanted.first + 1,
                identical=wanted.identical,
            )
        with stopwatch("fetch"):
            async with beside(self.searches.save(search)):
                images = await self._images(search.hits[: wanted.first + 1], images)
        return await self._page(search, options, wanted, stopwatch, images)

    async def _page(
        self,
        search: KeptSearch,
        options: SearchOptions,
        wanted: _Wanted,
        stopwatch: Stopwatch,
        images: Mapping[UUID, Image] = NO_IMAGES,
    ) -> SearchPage:
        """Return the page behind a rank. ``images`` are known already."""
        if wanted.depth is SearchDepth.ALL:
            with stopwatch("search"):
                search = await self._deepen(search, options, number=MAX_SEARCH_DEPTH)
        found: list[FoundImage] = []
        start, count = wanted.rank, wanted.first + 1
        # One image more than the page has tells whether there is a next page.
        while (missing := wanted.first + 1 - len(found)) > 0:
            if start >= len(search.hits):
                if search.is_complete:
                    break
                with stopwatch("search"):
                    search = await self._deepen(search, options, number=start + missing)
                continue
            hits = search.hits[start : start + count]
            with stopwatch("fetch"):
                images = await self._images(hits, images)
            found += [
                FoundImage(images[hit.image_id], hit, cursor)
                for hit, cursor in zip(hits, search.cursors(start), strict=False)
                if hit.image_id in images
            ]
            # The steps double, so that few are needed where most hits were deleted.
            start, count = start + len(hits), 2 * count
        return SearchPage(
            search=search,
            options=options,
            found=tuple(found[: wanted.first]),
            has_next=len(found) > wanted.first,
            has_previous=wanted.rank > 0,
            stages=stopwatch.stages("encode", "search", "fetch"),
        )

    async def _images(
        self, hits: Sequence[Hit], known: Mapping[UUID, Image]
    ) -> Mapping[UUID, Image]:
        """Return the images of hits that exist, by id. Those that are known are not read again."""
        unknown = [hit.image_id for hit in hits if hit.image_id not in known]
        return {**known, **await self.catalog.get(unknown)} if unknown else known

    async def _deepen(
        self, search: KeptSearch, options: SearchOptions, *, number: int
    ) -> KeptSearch:
        """Return a kept search with at least this number of hits, or all. What is new is kept."""
        while len(search.hits) < number and not search.is_complete:
            deeper, _ = await self._ranked(search, options, number=number)
            if await self.searches.deepen(deeper, known_depth=search.depth):
                search = deeper
            else:
                # Another caller has deepened the search meanwhile: its hits are the answer.
                stored = await self.searches.load(search.id, since=search.created_at)
                if not stored.continues(search):
                    raise SearchExpired(PART_LOST)
                search = stored
        return search

    async def _ranked(
        self,
        search: KeptSearch,
        options: SearchOptions,
        *,
        number: int,
        images: int = 0,
        identical: UUID | None = None,
    ) -> tuple[KeptSearch, Mapping[UUID, Image]]:
        """Return a search with at least this number of hits, or all.

        Also returns images that were read with the ranking: those of the nearest, so many. The
        image that is ``identical`` to the query comes first.
        """
        known = NO_IMAGES
        while len(search.hits) < number and not search.is_complete:
            depth = self._next_depth(search, options, number)
            hits, ranking = await self._rank(
                search.query, options, depth=depth, images=images, identical=identical
            )
            known = {**known, **ranking.images}
            search = search.deepened(
                hits, depth=depth, exact=ranking.exact, is_complete=len(ranking.hits) < depth
            )
        return search, known

    def _next_depth(self, search: KeptSearch, options: SearchOptions, number: int) -> int:
        # The groups of duplicates, and the count of each, depend on all hits. A minimum relevance
        # that left too few hits of one depth may leave few of the next.
        if options.collapse is not Collapse.NONE or (
            options.min_relevance is not None and search.depth > 0
        ):
            return MAX_SEARCH_DEPTH
        return next(
            (depth for depth in self.depths if depth > search.depth and depth >= number),
            MAX_SEARCH_DEPTH,
        )

    async def _rank(
        self,
        query: Query,
        options: SearchOptions,
        *,
        depth: int,
        images: int = 0,
        identical: UUID | None = None,
    ) -> tuple[Sequence[Hit], Ranking]:
        """Return the hits among the nearest images, and the ranking of these."""
        ranking = await self.vectors.search(
            query, options.criteria, limit=depth, exact=options.exact, images=images
        )
        hits: Sequence[Hit] = ranking.hits
        if identical is not None:
            others = [hit for hit in hits if hit.image_id != identical]
            hits = [Hit(identical, CERTAIN, CERTAIN), *others][:depth]
        if options.min_relevance is not None:
            hits = await self.score.relevant(query, hits, least=options.min_relevance)
        if options.collapse is not Collapse.NONE:
            ids = [hit.image_id for hit in hits]
            pairs = await self.duplicates.pairs_among(ids, options.collapse)
            hits = [
                replace(best.hit, collapsed_count=best.count) for best in collapsed(hits, pairs)
            ]
        return hits, ranking

    async def _check_cursor(
        self, cursor: SearchCursor, search: KeptSearch, by: SearchBy, options: SearchOptions
    ) -> None:
        if not 0 <= cursor.rank <= MAX_SEARCH_DEPTH:
            raise InvalidArgument(("after",), "The cursor is made up; take one from a page.")
        if search.options_digest != _digest(options) or not await self._is_query_of(by, search):
            raise InvalidArgument(
                ("after",),
                "The cursor belongs to another search; repeat that one, or leave it out.",
            )
        if not search.has(cursor):
            # It comes from another version, which is lost or is in the memory of another server
            # that could not save it. This one would continue another result.
            with locating("after"):
                raise SearchExpired(PART_LOST)

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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The page that is asked for, and how deep a search is to be ranked for it."""

    first: int
    rank: int
    depth: SearchDepth
    identical: UUID | None = None
    """The image with the bytes of the query, which comes first."""

    @property
    def number(self) -> int:
        """How many hits are needed at least."""
        if self.depth is SearchDepth.ALL:
            return MAX_SEARCH_DEPTH
        return self.rank + self.first + 1


class Stopwatch:
    """Measures the duration of the stages of a search."""

    def __init__(self) -> None:
        """Start without any stage."""
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a stage, or a part of it."""
        start = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def stages(self, *names: str) -> tuple[Stage, ...]:
        """Return these stages in order, with zero for a stage that was not needed."""
        return tuple(Stage(name, 1_000 * self._seconds.get(name, 0.0)) for name in names)


def _certain(search: KeptSearch) -> UUID | None:
    """Return the image that has the bytes of the kept search's example."""
    first = search.hits[0] if search.hits else None
    is_certain = first and (first.score, first.relevance) == (CERTAIN, CERTAIN)
    return first.image_id if first and is_certain else None


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
