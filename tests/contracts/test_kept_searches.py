"""The contract of KeptSearches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio

from domain.entities.embeddings import Hit, Query, QueryKind, QueryPart
from domain.entities.images import uuid7
from domain.entities.searches import MAX_SEARCH_DEPTH, KeptSearch
from domain.errors import SearchExpired
from infra.postgres.engine import open_engine
from infra.postgres.searches import PostgresKeptSearches
from tests.fakes.images import NOON
from tests.fakes.kept_searches import MemoryKeptSearches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.ports import KeptSearches

SEARCH = KeptSearch(
    id=uuid7(),
    created_at=NOON,
    model="tests/small",
    query=Query([0.1, -1 / 3, 1e-30], QueryKind.TEXT),
    query_digest="a" * 64,
    options_digest="b" * 64,
    hits=tuple(Hit(UUID(int=number), 1 / (number + 3)) for number in range(MAX_SEARCH_DEPTH)),
    exact=True,
)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def searches(request: pytest.FixtureRequest) -> AsyncIterator[KeptSearches]:
    if request.param == "memory":
        yield MemoryKeptSearches()
        return
    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        yield PostgresKeptSearches(engine)


async def test_some_hits_may_have_a_relevance(searches: KeptSearches) -> None:
    first, *others = SEARCH.hits
    search = replace(SEARCH, hits=(replace(first, score=1.0, relevance=1.0), *others))
    await searches.save(search)
    assert search == await searches.load(search.id, since=NOON)


async def test_a_search_is_loaded_as_it_was_saved_to_the_last_bit(searches: KeptSearches) -> None:
    await searches.save(SEARCH)
    assert SEARCH == await searches.load(SEARCH.id, since=NOON)


async def test_a_search_without_hits_is_saved_too(searches: KeptSearches) -> None:
    empty = replace(SEARCH, hits=(), query=replace(SEARCH.query, kind=QueryKind.IMAGE))
    await searches.save(empty)
    assert empty == await searches.load(empty.id, since=NOON)


PARTS = (
    QueryPart([0.125, -0.375, 2.0**-100], QueryKind.TEXT, 1 / 7),
    QueryPart([1.0, 0.0, -0.5], QueryKind.IMAGE, 100.0),
    QueryPart([0.375, 2.0**-100, 0.125], QueryKind.TEXT, -0.1),
)
BLENDED = replace(SEARCH, query=replace(SEARCH.query, blended=PARTS))


async def test_the_parts_of_a_blend_are_loaded_as_they_were_saved(searches: KeptSearches) -> None:
    single = replace(BLENDED, id=uuid7(), query=replace(BLENDED.query, blended=PARTS[:1]))
    longest = replace(BLENDED, id=uuid7(), query=replace(BLENDED.query, blended=PARTS * 20))
    for search in (BLENDED, single, longest):
        await searches.save(search)
        loaded = await searches.load(search.id, since=NOON)
        assert search == loaded
        assert search.query.parts == loaded.query.parts


async def test_relevance_and_group_sizes_are_loaded_as_they_were_saved(
    searches: KeptSearches,
) -> None:
    hits = [
        replace(hit, relevance=index / 7, collapsed_count=1 + index)
        for index, hit in enumerate(SEARCH.hits[:7])
    ]
    scored = replace(BLENDED, id=uuid7(), hits=tuple(hits))
    collapsed = tuple(replace(hit, relevance=None) for hit in hits)
    for search in (scored, replace(SEARCH, hits=collapsed), replace(scored, id=uuid7(), hits=())):
        await searches.save(search)
        assert search == await searches.load(search.id, since=NOON)


SHALLOW = replace(SEARCH, hits=SEARCH.hits[:7], depth=7, ranked_depth=7)


async def test_a_deepened_search_replaces_the_one_with_the_known_depth(
    searches: KeptSearches,
) -> None:
    await searches.save(SHALLOW)
    assert SHALLOW == await searches.load(SHALLOW.id, since=NOON)
    scored = [replace(hit, relevance=0.5, collapsed_count=2) for hit in SEARCH.hits]
    deep = replace(
        SHALLOW, hits=tuple(scored), depth=MAX_SEARCH_DEPTH, ranked_depth=400, exact=False
    )
    assert await searches.deepen(deep, known_depth=7)
    assert deep == await searches.load(SHALLOW.id, since=NOON)


async def test_of_two_that_deepen_a_search_the_first_is_kept(searches: KeptSearches) -> None:
    await searches.save(SHALLOW)
    first = SHALLOW.deepened(SEARCH.hits[:20], depth=20, exact=True)
    second = SHALLOW.deepened(SEARCH.hits[30:90], depth=60, exact=True)
    assert await searches.deepen(first, known_depth=7)
    assert not await searches.deepen(second, known_depth=7)
    assert first == await searches.load(SHALLOW.id, since=NOON)


async def test_a_lost_search_is_stored_again_when_it_is_deepened(searches: KeptSearches) -> None:
    assert await searches.deepen(SEARCH, known_depth=7)
    assert SEARCH == await searches.load(SEARCH.id, since=NOON)


async def test_an_older_search_has_expired(searches: KeptSearches) -> None:
    await searches.save(SEARCH)
    with pytest.raises(SearchExpired):
        await searches.load(SEARCH.id, since=NOON + timedelta(microseconds=1))


async def test_an_unknown_search_has_expired(searches: KeptSearches) -> None:
    with pytest.raises(SearchExpired):
        await searches.load(uuid7(), since=NOON)


async def test_expired_searches_are_deleted_and_counted(searches: KeptSearches) -> None:
    new = replace(SEARCH, id=uuid7(), created_at=NOON + timedelta(hours=1))
    await searches.save(SEARCH)
    await searches.save(new)
    assert 1 == await searches.delete_expired(new.created_at, keep=10)
    assert 0 == await searches.delete_expired(new.created_at, keep=10)
    assert new == await searches.load(new.id, since=NOON)
    with pytest.raises(SearchExpired):
        await searches.load(SEARCH.id, since=NOON)


async def test_only_the_newest_are_kept_where_there_are_too_many(searches: KeptSearches) -> None:
    newest_first = [replace(SEARCH, id=uuid7(), created_at=NOON - timedelta(n)) for n in range(5)]
    for search in reversed(newest_first):
        await searches.save(search)
    assert 3 == await searches.delete_expired(NOON - timedelta(days=100), keep=2)
    for search in newest_first[:2]:
        assert search == await searches.load(search.id, since=search.created_at)
    with pytest.raises(SearchExpired):
        await searches.load(newest_first[2].id, since=newest_first[2].created_at)
