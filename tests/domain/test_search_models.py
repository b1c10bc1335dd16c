"""Going on with a search when another model answers: the one that made it does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.queries import BySearch, ByText, SearchOptions
from domain.errors import SearchExpired
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.encoder import FakeEncoder
from tests.fakes.space import FakeEmbeddingSpace

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.use_cases.search.search_images import SearchImages

RED = ByText("red")
RELEVANT = SearchOptions(min_relevance=0.5)


@pytest.fixture
async def later(use_cases: UseCases, by_colour: dict[str, Image]) -> SearchImages:
    """What searches the same images by another model, with the one before still loaded."""
    encoder = FakeEncoder(dimensions=24, name="another")
    catalog = MemoryCatalog(encoder.model)
    for image in by_colour.values():
        [embedding] = await encoder.encode_texts([image.filename])
        await catalog.add(image, embedding)
    before, space = use_cases.search, FakeEmbeddingSpace(catalog)
    return replace(
        before,
        encode_query=replace(before.encode_query, encoder=encoder, vectors=catalog, space=space),
        score=replace(before.score, space=space, model=encoder.model),
        catalog=catalog,
        vectors=catalog,
        search_of={"fake": before}.get,
    )


async def test_the_pages_of_an_earlier_model_go_on_as_they_would_have(
    use_cases: UseCases, later: SearchImages
) -> None:
    before = use_cases.search
    first = await before(RED, first=2)
    after = first.found[-1].cursor
    assert await ids(before, RED, first=9, after=after) == await ids(
        later, RED, first=9, after=after
    )
    again = await later(RED, first=2)
    assert "another" == again.search.model
    assert first.search.model != again.search.model


async def test_a_kept_search_is_asked_again_by_the_model_that_made_it(
    use_cases: UseCases, later: SearchImages
) -> None:
    kept = BySearch((await use_cases.search(RED)).search_id)
    assert await ids(use_cases.search, kept, RELEVANT) == await ids(later, kept, RELEVANT)
    assert "fake" == (await later(kept, RELEVANT)).search.model
    # A cursor may belong to a search that asks the same by another id.
    page = await later(kept, RELEVANT, first=0)
    assert "fake" == (await later(kept, RELEVANT, first=1)).search.model
    assert page.search.query_digest == (await later(RED)).search.query_digest


async def test_an_earlier_answer_is_judged_and_explained_by_the_model_that_gave_it(
    use_cases: UseCases, later: SearchImages
) -> None:
    before = use_cases.search
    page = await before(RED)
    assert before is later.of(page.search)
    assert await before.relevant(page) == await later.relevant(page)
    assert await before.plan(page) == await later.plan(page)
    inexact = replace(page, search=replace(page.search, exact=False))
    assert await before.recall(inexact) == await later.recall(inexact)


async def test_what_a_model_found_has_expired_when_it_is_dropped(
    use_cases: UseCases, later: SearchImages
) -> None:
    page = await use_cases.search(RED, first=1)
    alone = replace(later, search_of=lambda _: None)
    for by, after in ((BySearch(page.search_id), None), (RED, page.found[0].cursor)):
        with pytest.raises(SearchExpired, match="not in use any more; search again"):
            await alone(by, after=after)


async def ids(search: SearchImages, *asked: object, **more: object) -> list[object]:
    page = await search(*asked, **more)  # type: ignore[arg-type]  # whatever a search takes
    return [(found.image.id, found.score) for found in page.found]
