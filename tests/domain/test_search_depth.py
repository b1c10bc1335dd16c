"""The depth of searches: pages and counts rank as deep as they need, and continue one answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.entities.near_duplicates import Collapse
from domain.entities.queries import BySearch, ByText, SearchOptions
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchCursor, SearchDepth
from domain.errors import SearchExpired
from tests.domain.searched_library import CountingCatalog, SearchedLibrary
from tests.fakes.kept_searches import MemoryKeptSearches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Query, Ranking
    from domain.entities.filters import ImageFilter
    from domain.entities.images import Image
    from domain.entities.searches import KeptSearch, SearchPage

T = TypeVar("T")

RED = ByText("red")
DEGREES = st.integers(0, 359)
# Boundaries before, at and behind those of pages, and between neighbours.
DEPTHS = st.lists(st.integers(1, 40), max_size=6, unique=True).map(
    lambda depths: (*sorted(depths), MAX_SEARCH_DEPTH)
)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)
# Angles of images to add, and indexes, among all ever added, of images to delete.
CHANGES = st.tuples(st.lists(DEGREES, max_size=3), st.lists(st.integers(0, 60), max_size=8))


@dataclass
class ChangingLibrary(SearchedLibrary):
    """A library that knows which images exist."""

    added: list[UUID] = field(default_factory=list)
    alive: set[UUID] = field(default_factory=set)

    async def add(self, degrees: Sequence[int]) -> None:
        new = [await self.insert(each) for each in degrees]
        self.added += new
        self.alive |= set(new)

    async def change(self, change: tuple[list[int], list[int]]) -> None:
        adding, deleting = change
        await self.add(adding)
        deleted = await self.catalog.delete(
            [self.added[index] for index in deleting if index < len(self.added)]
        )
        self.alive -= deleted


def ids_of(page: SearchPage) -> list[UUID]:
    return [found.image.id for found in page.found]


def is_subsequence(some: Sequence[UUID], of: Sequence[UUID]) -> bool:
    rest = iter(of)
    return all(id_ in rest for id_ in some)


@settings(max_examples=200, deadline=None)
@given(
    here=st.lists(DEGREES, min_size=1, max_size=40),
    depths=DEPTHS,
    sizes=SIZES,
    changes=st.lists(CHANGES, max_size=12),
)
async def test_a_search_that_is_deepened_for_each_page_repeats_and_skips_nothing(
    here: list[int],
    depths: tuple[int, ...],
    sizes: list[int],
    changes: list[tuple[list[int], list[int]]],
) -> None:
    library = ChangingLibrary(depths=depths)
    await library.add(here)
    ranked = ids_of(await SearchedLibrary(library.catalog).search(RED, first=100))
    pending = iter(changes)
    read: list[UUID] = []
    pages: list[tuple[SearchCursor | None, int, list[UUID]]] = []
    after = None
    while True:
        size = sizes[len(pages) % len(sizes)]
        page = await library.search(RED, first=size, after=after)
        assert set(ids_of(page)) <= library.alive
        assert len(page.found) == size or not page.has_next
        read += ids_of(page)
        pages.append((after, size, ids_of(page)))
        if not page.has_next:
            break
        after = page.found[-1].cursor
        await library.change(next(pending, ([], [])))

    assert len(set(read)) == len(read)
    # What existed throughout was found, in the order of an undisturbed search.
    assert [id_ for id_ in ranked if id_ in library.alive] == [
        id_ for id_ in read if id_ in library.alive and id_ in ranked
    ]
    # Pages stay: read again, each has what it had, except for what was deleted.
    for after, size, ids in pages:
        by = BySearch(page.search_id)
        again = ids_of(await library.search(by, first=size, after=after))
        kept = [id_ for id_ in ids if id_ in library.alive]
        assert kept == again[: len(kept)]


@dataclass
class Pauses:
    """Lets other tasks run for a random while."""

    random: Random

    async def __call__(self, work: Awaitable[T]) -> T:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        result = await work
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        return result


class PausingCatalog(CountingCatalog):
    """A catalog whose searches and lookups take a while."""

    def __init__(self, pause: Pauses) -> None:
        super().__init__()
        self._pause = pause

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return await self._pause(super().get(ids))

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        return await self._pause(
            super().search(query, criteria, limit=limit, exact=exact, images=images)
        )


class PausingSearches(MemoryKeptSearches):
    """Kept searches that take a while to save, deepen and load."""

    def __init__(self, pause: Pauses) -> None:
        super().__init__()
        self._pause = pause

    async def save(self, search: KeptSearch) -> None:
        await self._pause(super().save(search))

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        return await self._pause(super().deepen(search, known_depth=known_depth))


@settings(max_examples=150, deadline=None)
@given(
    here=st.lists(DEGREES, min_size=1, max_size=40),
    depths=DEPTHS,
    readers=st.lists(SIZES, min_size=2, max_size=4),
    changes=st.lists(CHANGES, max_size=12),
    seed=st.integers(0, 2**32),
)
async def test_readers_that_deepen_one_search_at_once_read_the_same_answer(
    here: list[int],
    depths: tuple[int, ...],
    readers: list[list[int]],
    changes: list[tuple[list[int], list[int]]],
    seed: int,
) -> None:
    pause = Pauses(Random(seed))
    searches = PausingSearches(pause)
    library = ChangingLibrary(PausingCatalog(pause), searches=searches, depths=depths)
    await library.add(here)
    start = await library.search(RED, first=1)

    async def read(sizes: list[int]) -> list[UUID]:
        ids, page, number = ids_of(start), start, 0
        while page.has_next:
            after = page.found[-1].cursor
            page = await library.search(RED, first=sizes[number % len(sizes)], after=after)
            ids += ids_of(page)
            number += 1
        return ids

    async def change() -> None:
        for each in changes:
            await library.change(each)
            await asyncio.sleep(0)

    await asyncio.gather(*(read(sizes) for sizes in readers), change())
    kept = await searches.load(start.search_id, since=library.clock())
    order = [hit.image_id for hit in kept.hits]
    assert len(set(order)) == len(order)
    for sizes in readers:
        again = await read(sizes)
        assert is_subsequence(again, order)
        assert set(again) >= library.alive.intersection(order)


@pytest.mark.parametrize("first", [0, 20, 100])
async def test_a_first_page_ranks_about_a_hundred_images(first: int) -> None:
    library = ChangingLibrary()
    await library.add(range(0, 330, 2))
    await library.search(RED, first=first)
    assert [120] == library.catalog.ranked_depths


async def test_later_pages_deepen_in_steps_to_the_most() -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(1_005)])
    after, read = None, 0
    expected = {0: [120], 100: [120, 400], 300: [120, 400, 1_000]}
    while True:
        page = await library.search(RED, first=100, after=after)
        if read in expected:
            assert expected[read] == library.catalog.ranked_depths
        read += len(page.found)
        if not page.has_next:
            break
        after = page.found[-1].cursor
    assert (1_000, [120, 400, 1_000]) == (read, library.catalog.ranked_depths)


async def test_counts_over_all_hits_rank_to_the_most_at_once() -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(300)])
    page = await library.search(RED, depth=SearchDepth.ALL)
    assert len(page.search.hits) == 300
    await library.search.relevant(page)
    assert [1_000] == library.catalog.ranked_depths


async def test_a_count_over_a_shallow_search_deepens_it() -> None:
    library = ChangingLibrary()
    await library.add([number % 90 for number in range(300)])
    shallow = await library.search(RED, first=5)
    whole = await library.search(RED, first=5, depth=SearchDepth.ALL)
    expected = {hit.image_id for hit in await library.search.relevant(whole)}
    assert expected == {hit.image_id for hit in await library.search.relevant(shallow)}
    kept = await library.searches.load(shallow.search_id, since=library.clock())
    assert kept.is_complete
    later = await library.search(RED, first=5, after=shallow.found[-1].cursor)
    assert ids_of(await library.search(BySearch(shallow.search_id), first=10)) == [
        *ids_of(shallow),
        *ids_of(later),
    ]


async def test_a_search_that_compared_all_images_is_not_deepened() -> None:
    library = ChangingLibrary()
    await library.add(range(119))
    page = await library.search(RED, first=100)
    await library.search(RED, first=100, after=page.found[-1].cursor)
    await library.search.relevant(page)
    assert [120] == library.catalog.ranked_depths


async def test_collapsed_searches_rank_to_the_most_at_once() -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(300)])
    await library.search(RED, SearchOptions(collapse=Collapse.EXACT_COPIES))
    assert [1_000] == library.catalog.ranked_depths


async def test_a_minimum_relevance_that_few_images_have_ranks_to_the_most() -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(300)])
    everything = SearchOptions(min_relevance=0.0)
    assert 20 == len((await library.search(RED, everything)).found)
    assert [120] == library.catalog.ranked_depths
    nothing = SearchOptions(min_relevance=1.0)
    page = await library.search(RED, nothing)
    assert ((), False) == (page.found, page.has_next)
    assert [120, 120, 1_000] == library.catalog.ranked_depths


async def test_a_page_right_behind_the_kept_hits_deepens_the_search() -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(300)])
    page = await library.search(RED, first=1)
    *_, last = page.search.cursors(0)
    assert 120 == last.rank
    rest = await library.search(RED, first=5, after=last)
    whole = await library.search(RED, depth=SearchDepth.ALL)
    assert [hit.image_id for hit in whole.search.hits[120:125]] == ids_of(rest)


@pytest.mark.parametrize("count", [300, 100])
async def test_a_cursor_of_a_deeper_version_that_is_lost_has_expired(count: int) -> None:
    library = ChangingLibrary()
    await library.add([number % 360 for number in range(count)])
    page = await library.search(RED, first=1)
    assert (count == 100) is page.search.is_complete
    # As a server gives it out that could not save what it deepened.
    for rank in (len(page.search.hits) + 1, MAX_SEARCH_DEPTH):
        with pytest.raises(SearchExpired) as refusal:
            await library.search(RED, first=5, after=SearchCursor(page.search_id, rank, ""))
        assert refusal.value.location == ("after",)
    assert page.search == await library.searches.load(page.search_id, since=library.clock())
