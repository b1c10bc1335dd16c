"""Pages of a search while images are added and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.entities.filters import EVERYTHING
from domain.entities.queries import ByText
from tests.domain.searched_library import SearchedLibrary

if TYPE_CHECKING:
    from uuid import UUID

DEGREES = st.integers(0, 359)


# Angles of images to add, and indexes, among all ever added, of images to delete.
CHANGES = st.tuples(st.lists(DEGREES, max_size=3), st.lists(st.integers(0, 60), max_size=8))


@settings(max_examples=150, deadline=None)
@given(
    here=st.lists(DEGREES, max_size=40),
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    changes=st.lists(CHANGES, max_size=12),
)
async def test_images_that_exist_throughout_are_found_once_and_in_order(
    here: list[int], sizes: list[int], changes: list[tuple[list[int], list[int]]]
) -> None:
    library = SearchedLibrary()
    added = [await library.insert(degrees) for degrees in here]
    whole = await library.search(ByText("red"), first=100)
    ranked = [found.image.id for found in whole.found]
    scores = {found.image.id: found.score for found in whole.found}
    assert set(added) == set(ranked)

    pending, alive = iter(changes), set(added)
    seen: list[UUID] = []
    rank, after, page_number = 0, None, 0
    while True:
        # The first page must return a cursor, and empty pages alone would never end.
        size = max(after is None, sizes[page_number % len(sizes)] if page_number < 20 else 7)
        page = await library.search(ByText("red"), first=size, after=after)
        waiting = [id_ for id_ in ranked[rank:] if id_ in alive]
        assert waiting[:size] == [found.image.id for found in page.found]
        assert all(scores[found.image.id] == found.score for found in page.found)
        assert page.has_next == (len(waiting) > size)
        assert page.has_previous == (after is not None)
        seen += [found.image.id for found in page.found]
        if page.found:
            after = page.found[-1].cursor
            rank = ranked.index(seen[-1]) + 1
        elif not page.has_next:
            break
        page_number += 1
        adding, deleting = next(pending, ([], []))
        added += [await library.insert(degrees) for degrees in adding]
        alive -= await library.catalog.delete([added[n] for n in deleting if n < len(added)])

    assert len(set(seen)) == len(seen)
    assert [id_ for id_ in ranked if id_ in alive] == [id_ for id_ in seen if id_ in alive]


async def test_a_thousand_hits_can_be_paged_through_and_no_more() -> None:
    library = SearchedLibrary()
    for number in range(1_003):
        await library.insert(number % 360)
    seen: list[UUID] = []
    after = None
    while (page := await library.search(ByText("red"), first=100, after=after)).found:
        seen += [found.image.id for found in page.found]
        after = page.found[-1].cursor
        assert page.has_next == (len(seen) < 1_000)

    assert len(set(seen)) == len(seen) == 1_000


async def test_a_page_after_many_deleted_hits_is_full_and_takes_few_queries() -> None:
    library = SearchedLibrary()
    for number in range(1_000):
        await library.insert(number % 360)
    start = await library.search(ByText("red"), first=1)
    ranking = await library.search.searches.load(start.search_id, since=library.clock())
    whole = await library.catalog.search(ranking.query, EVERYTHING, limit=1_000)
    hits = [hit.image_id for hit in whole.hits]
    await library.catalog.delete(hits[1:-3])

    library.catalog.queries = 0
    after = start.found[-1].cursor
    page = await library.search(ByText("red"), first=2, after=after)
    assert hits[-3:-1] == [found.image.id for found in page.found]
    assert page.has_next
    # 3 + 6 + 12 + 24 + 48 = 93 of the 119 kept hits, then these, and the three that are found when
    # the search is deepened.
    assert library.catalog.queries == 7
