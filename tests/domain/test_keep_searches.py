"""Searches that are kept in memory during an outage, beside those that the database has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.entities.embeddings import Hit, Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.queries import BySearch, ByText
from domain.entities.searches import MAX_SEARCH_DEPTH, KeptSearch
from domain.errors import SearchExpired, Unavailable
from domain.use_cases.search.keep_searches import KeepSearches
from tests.domain.searched_library import SearchedLibrary
from tests.fakes.images import NOON
from tests.fakes.kept_searches import MemoryKeptSearches

if TYPE_CHECKING:
    from domain.entities.searches import SearchPage

RED = ByText("red")
AWAY = Unavailable("The database is away.")


def hits(*numbers: int) -> tuple[Hit, ...]:
    return tuple(Hit(UUID(int=number), 1.0) for number in numbers)


SHALLOW = KeptSearch(
    uuid7(), NOON, "a", Query([1.0], QueryKind.TEXT), "a", "b", hits(1, 2, 3), exact=True, depth=3
)
DEEPER = SHALLOW.deepened(hits(4, 5), depth=5, exact=True)
OTHER = SHALLOW.deepened(hits(6, 7), depth=5, exact=True)
DEEPEST = DEEPER.deepened(hits(6, 7), depth=7, exact=False)


class SlowlyAnswering(MemoryKeptSearches):
    """Kept searches that are saved and deepened before an error is raised, if any."""

    answer: Exception | None = None

    async def save(self, search: KeptSearch) -> None:
        await super().save(search)
        if self.answer:
            raise self.answer

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        is_kept = await super().deepen(search, known_depth=known_depth)
        if self.answer:
            raise self.answer
        return is_kept


@pytest.fixture
def searches() -> SlowlyAnswering:
    return SlowlyAnswering()


async def load(kept: KeepSearches) -> KeptSearch:
    return await kept.load(SHALLOW.id, since=NOON)


def ids_of(page: SearchPage) -> list[UUID]:
    return [found.image.id for found in page.found]


async def test_a_search_is_deepened_in_memory_while_nothing_can_be_saved() -> None:
    library = SearchedLibrary(depths=(3, 9, MAX_SEARCH_DEPTH))
    search = replace(library.search, searches=KeepSearches(library.searches))
    present = {await library.insert(degrees) for degrees in range(30)}
    page = await search(RED, first=2)
    library.searches.error = AWAY
    read = ids_of(page)
    while page.has_next:
        await library.insert(0)
        page = await search(RED, first=2, after=page.found[-1].cursor)
        read += ids_of(page)
    assert len(read) == len(set(read))
    assert set(read) >= present
    library.searches.error = None
    again = await search(BySearch(page.search_id), first=100)
    assert read == ids_of(again)


async def test_a_page_continues_the_search_that_another_server_has_deepened(
    searches: SlowlyAnswering,
) -> None:
    library = SearchedLibrary(searches=searches, depths=(3, 9, MAX_SEARCH_DEPTH))
    here, there = (replace(library.search, searches=KeepSearches(searches)) for _ in range(2))
    for degrees in range(0, 360, 10):
        await library.insert(degrees)
    searches.answer = AWAY
    first = await here(RED, first=2)
    searches.answer = None
    second = await there(RED, first=3, after=first.found[-1].cursor)
    for degrees in range(0, 360, 2):
        await library.insert(degrees)
    third = await here(RED, first=3, after=second.found[-1].cursor)
    shown = [*ids_of(first), *ids_of(second), *ids_of(third)]
    assert [hit.image_id for hit in second.search.hits[:8]] == shown


async def test_a_page_continues_no_search_that_two_servers_have_deepened_in_their_memory(
    searches: SlowlyAnswering,
) -> None:
    library = SearchedLibrary(searches=searches, depths=(3, 9, MAX_SEARCH_DEPTH))
    here, there = (replace(library.search, searches=KeepSearches(searches)) for _ in range(2))
    for degrees in range(0, 360, 10):
        await library.insert(degrees)
    first = await here(RED, first=2)
    searches.error = AWAY
    second = await here(RED, first=3, after=first.found[-1].cursor)
    for degrees in range(0, 360, 10):
        await library.insert(degrees)
    other = await there(RED, first=3, after=first.found[-1].cursor)
    assert ids_of(second) != ids_of(other)
    for server, before in ((there, second), (here, other)):
        with pytest.raises(SearchExpired) as refusal:
            await server(RED, first=3, after=before.found[-1].cursor)
        assert ("after",) == refusal.value.location
    for server, before in ((here, second), (there, other)):
        page = await server(RED, first=3, after=before.found[-1].cursor)
        assert page.search.hits[5:8] == tuple(found.hit for found in page.found)


async def test_a_search_in_memory_is_saved_when_it_is_deepened(searches: SlowlyAnswering) -> None:
    kept = KeepSearches(searches)
    searches.error = AWAY
    await kept.save(SHALLOW)
    assert SHALLOW == await load(kept)
    searches.error = None
    assert await kept.deepen(DEEPER, known_depth=3)
    assert DEEPER == await load(kept) == await load(KeepSearches(searches))
    assert await KeepSearches(searches).deepen(DEEPEST, known_depth=5)
    assert DEEPEST == await load(kept)


async def test_a_search_deepened_in_memory_is_saved_over_what_was_stored_before(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    await kept.save(SHALLOW)
    searches.error = AWAY
    assert await kept.deepen(DEEPER, known_depth=3)
    searches.error = None
    assert DEEPER == await load(kept)
    assert await kept.deepen(DEEPEST, known_depth=5)
    assert DEEPEST == await load(KeepSearches(searches))


async def test_of_two_that_deepen_a_search_in_memory_the_first_is_kept(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    searches.error = AWAY
    assert await kept.deepen(DEEPER, known_depth=3)
    assert not await kept.deepen(OTHER, known_depth=3)
    assert DEEPER == await load(kept)
    assert await kept.deepen(DEEPEST, known_depth=5)
    assert DEEPEST == await load(kept)


async def test_a_search_that_was_deepened_before_the_answer_was_lost_continues(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    await kept.save(SHALLOW)
    searches.answer = AWAY
    assert await kept.deepen(DEEPER, known_depth=3)
    searches.answer = None
    assert not await kept.deepen(DEEPEST, known_depth=5)
    assert DEEPER == await load(kept)
    assert await kept.deepen(DEEPEST, known_depth=5)
    assert DEEPEST == await load(KeepSearches(searches))


async def test_a_search_in_memory_that_the_database_contradicts_has_expired(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    await kept.save(SHALLOW)
    searches.error = AWAY
    assert await kept.deepen(DEEPER, known_depth=3)
    searches.error = None
    assert await KeepSearches(searches).deepen(OTHER, known_depth=3)
    assert not await kept.deepen(DEEPEST, known_depth=5)
    for _ in range(2):
        with pytest.raises(SearchExpired):
            await load(kept)
    assert OTHER == await load(KeepSearches(searches))


async def test_an_outage_after_another_server_has_deepened_a_search_is_one(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    searches.answer = AWAY
    await kept.save(SHALLOW)
    searches.answer = None
    assert await KeepSearches(searches).deepen(OTHER, known_depth=3)
    assert not await kept.deepen(DEEPER, known_depth=3)
    searches.error = searches.load_error = AWAY
    assert not await kept.deepen(DEEPER, known_depth=3)
    with pytest.raises(Unavailable):
        await load(kept)
    searches.load_error = None
    assert OTHER == await load(kept)


async def test_no_other_hits_are_shown_where_those_of_another_caller_cannot_be_loaded(
    searches: SlowlyAnswering,
) -> None:
    library = SearchedLibrary(searches=searches, depths=(3, 9, MAX_SEARCH_DEPTH))
    for degrees in range(20):
        await library.insert(degrees)
    search = replace(library.search, searches=KeepSearches(searches))
    shallow = (await search(RED, first=2)).search
    page = await search(RED, first=5, after=None)
    assert await searches.deepen(replace(page.search, id=shallow.id), known_depth=shallow.depth)
    searches.load_error = AWAY
    with pytest.raises(Unavailable):
        await search._deepen(shallow, page.options, number=5)  # noqa: SLF001 - between load and deepen


async def test_of_two_callers_the_one_that_was_kept_in_memory_first_is_not_contradicted() -> None:
    entered, answer = asyncio.Event(), asyncio.Event()

    class Waiting(MemoryKeptSearches):
        async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
            if search == DEEPER:
                raise AWAY
            entered.set()
            await answer.wait()
            return await super().deepen(search, known_depth=known_depth)

    kept = KeepSearches(Waiting())
    await kept.save(SHALLOW)
    other = asyncio.create_task(kept.deepen(OTHER, known_depth=3))
    await entered.wait()
    assert await kept.deepen(DEEPER, known_depth=3)
    answer.set()
    assert not await other
    with pytest.raises(SearchExpired):
        await load(kept)


async def test_the_version_in_memory_that_continues_the_stored_one_is_loaded(
    searches: SlowlyAnswering,
) -> None:
    kept = KeepSearches(searches)
    searches.error = AWAY
    await kept.save(SHALLOW)
    assert await kept.deepen(DEEPEST, known_depth=3)
    searches.error = None
    await searches.save(DEEPER)
    assert DEEPEST == await load(kept)
    searches.load_error = AWAY
    assert DEEPEST == await load(kept)
    with pytest.raises(SearchExpired):
        await kept.load(SHALLOW.id, since=NOON.replace(hour=23))


OUTAGES = st.sampled_from([None, None, "error", "answer"])
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 4), OUTAGES, st.lists(st.integers(0, 359))),
    min_size=2,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
async def test_pages_of_two_servers_repeat_and_skip_nothing_or_have_expired(
    steps: list[tuple[int, int, str | None, list[int]]],
) -> None:
    searches = SlowlyAnswering()
    library = SearchedLibrary(searches=searches, depths=(3, 9, 15, MAX_SEARCH_DEPTH))
    servers = [replace(library.search, searches=KeepSearches(searches)) for _ in range(2)]
    present = [await library.insert(degrees) for degrees in range(0, 360, 15)]
    ranked = [id_ for id_ in ids_of(await library.search(RED, first=100)) if id_ in present]
    read: list[UUID] = []
    after = None
    for server, first, outage, inserted in steps:
        searches.error = AWAY if outage == "error" else None
        searches.answer = AWAY if outage == "answer" else None
        try:
            page = await servers[server](RED, first=first, after=after)
        except SearchExpired:
            break
        read += ids_of(page)
        if not page.has_next:
            break
        after = page.found[-1].cursor
        for degrees in inserted:
            await library.insert(degrees)
    assert len(set(read)) == len(read)
    of_these = [id_ for id_ in read if id_ in present]
    assert ranked[: len(of_these)] == of_these
