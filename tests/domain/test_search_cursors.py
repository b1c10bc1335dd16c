"""Cursors of kept searches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import uuid7
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import (
    ByBlend,
    ByImage,
    BySearch,
    ByText,
    ByUpload,
    SearchOptions,
    WeightedTerm,
)
from domain.entities.searches import MAX_SEARCH_DEPTH, SEARCH_LIFETIME, SearchCursor
from domain.errors import InvalidArgument, SearchExpired
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy
    from tests.fakes.clock import SettableClock

MICROSECOND = timedelta(microseconds=1)
SEA = ImageFilter(tags_any=("sea",))
IN_SEA = SearchOptions(SEA)
RED = ByText("red")
RED_FILE = picture_file(COLOURS["red"])


async def test_a_search_by_an_image_continues_after_the_image_is_deleted(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    by = ByImage(by_colour["red"].id)
    page = await use_cases.search(by, first=5)
    await use_cases.delete([by.image_id])
    rest = await use_cases.search(by, first=100, after=page.found[-1].cursor)

    assert len(COLOURS) - 5 == len(rest.found)
    assert rest.has_previous


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_is_valid_for_every_form_of_the_same_query(use_cases: UseCases) -> None:
    whole = await use_cases.search(ByText("red"), IN_SEA)
    page = await use_cases.search(ByText("red"), IN_SEA, first=1)
    by_search = BySearch(whole.search_id)
    for by in (ByText("red"), by_search, BySearch(page.search_id)):
        rest = await use_cases.search(by, IN_SEA, after=page.found[-1].cursor)
        assert whole.found[1].image == rest.found[0].image
        assert page.search_id == rest.search_id


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_of_a_filtered_search_is_valid_for_the_original_query(
    use_cases: UseCases,
) -> None:
    whole = await use_cases.search(RED)
    narrowed = await use_cases.search(BySearch(whole.search_id), IN_SEA, first=1)
    for by in (RED, BySearch(whole.search_id), BySearch(narrowed.search_id)):
        rest = await use_cases.search(by, IN_SEA, after=narrowed.found[0].cursor)
        assert len(rest.found) == 1
        assert narrowed.search_id == rest.search_id


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_of_an_example_is_valid_for_the_same_bytes(use_cases: UseCases) -> None:
    page = await use_cases.search(ByUpload(upload(RED_FILE, "a.png")), first=2)
    rest = await use_cases.search(ByUpload(upload(RED_FILE, "b.png")), after=page.found[-1].cursor)
    assert len(COLOURS) - 2 == len(rest.found)
    assert page.search_id == rest.search_id


@dataclass(frozen=True)
class SearchRequest:
    """A search that a cursor of ``ByText("red")`` does not belong to."""

    by: SearchBy = RED
    options: SearchOptions = IN_SEA


@pytest.mark.usefixtures("by_colour")
@pytest.mark.parametrize(
    "other",
    [
        SearchRequest(by=ByText("blue")),
        SearchRequest(by=ByUpload(upload(RED_FILE))),
        SearchRequest(by=ByImage(uuid7())),
        SearchRequest(options=SearchOptions()),
        SearchRequest(options=SearchOptions(ImageFilter(tags_any=("sea", "beach")))),
        SearchRequest(options=SearchOptions(ImageFilter(tags_all=("sea",)))),
        SearchRequest(options=SearchOptions(SEA, exact=True)),
        SearchRequest(options=SearchOptions(SEA, min_relevance=0.0)),
        SearchRequest(options=SearchOptions(SEA, collapse=Collapse.EXACT_COPIES)),
        SearchRequest(by=ByBlend((WeightedTerm(RED),))),
    ],
)
async def test_a_cursor_of_another_search_is_refused(
    use_cases: UseCases, other: SearchRequest
) -> None:
    page = await use_cases.search(ByText("red"), IN_SEA, first=1)
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.search(other.by, other.options, after=page.found[0].cursor)
    assert refusal.value.location == ("after",)
    assert (
        refusal.value.message
        == "The cursor belongs to another search; repeat that one, or leave it out."
    )


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_of_another_kept_search_is_refused(use_cases: UseCases) -> None:
    red = await use_cases.search(ByText("red"), first=1)
    blue = await use_cases.search(ByText("blue"), first=1)
    with pytest.raises(InvalidArgument, match="belongs to another search"):
        await use_cases.search(BySearch(red.search_id), after=blue.found[0].cursor)


@pytest.mark.usefixtures("by_colour")
@pytest.mark.parametrize("rank", [-1, -100, MAX_SEARCH_DEPTH + 1, 10**30])
async def test_a_cursor_outside_the_hits_is_refused(use_cases: UseCases, rank: int) -> None:
    page = await use_cases.search(ByText("red"))
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.search(ByText("red"), after=SearchCursor(page.search_id, rank, ""))
    assert refusal.value.location == ("after",)
    assert refusal.value.message == "The cursor is made up; take one from a page."


@pytest.mark.usefixtures("by_colour")
async def test_the_page_after_the_last_hit_is_empty(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"))
    rest = await use_cases.search(ByText("red"), after=page.found[-1].cursor)
    assert (rest.found, rest.has_next, rest.has_previous) == ((), False, True)


@pytest.mark.usefixtures("by_colour")
async def test_a_search_expires_after_an_hour(use_cases: UseCases, clock: SettableClock) -> None:
    page = await use_cases.search(ByText("red"), first=1)
    by, after = BySearch(page.search_id), page.found[0].cursor

    clock.pass_time(SEARCH_LIFETIME)
    assert (await use_cases.search(by)).found
    assert (await use_cases.search(ByText("red"), after=after)).found

    clock.pass_time(MICROSECOND)
    with pytest.raises(SearchExpired):
        await use_cases.search(by)
    with pytest.raises(SearchExpired):
        await use_cases.search(by, IN_SEA)
    with pytest.raises(SearchExpired):
        await use_cases.search(ByText("red"), after=after)


@pytest.mark.usefixtures("by_colour")
async def test_a_search_made_with_another_model_has_expired(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"), first=1)
    scorer = replace(use_cases.search.score, model=FakeEncoder(name="another").model)
    another = replace(use_cases.search, score=scorer)
    for by, after in (
        (BySearch(page.search_id), None),
        (ByText("red"), page.found[0].cursor),
    ):
        with pytest.raises(SearchExpired) as refusal:
            await another(by, after=after)
        assert (
            "The search was made with a model that is not in use any more; search again."
            == refusal.value.message
        )
