"""Relevance, collapsed copies, recall, plans and stages of a search."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, BySearch, ByText, ByUpload, SearchOptions, WeightedTerm
from domain.entities.relevance import LIKELY
from domain.entities.searches import SearchDepth
from domain.errors import InvalidArgument
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.hashes import hash_of
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.embeddings import Query, Ranking
    from domain.entities.images import Image
    from domain.entities.searches import SearchPage
    from tests.fakes.embedding_space import FakeEmbeddingSpace
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.kept_searches import MemoryKeptSearches

RED = ByText("red")
LIKELY_ONLY = SearchOptions(min_relevance=LIKELY)
COPIES = SearchOptions(collapse=Collapse.EXACT_COPIES)


def names(page: SearchPage) -> list[str]:
    return [found.image.filename.removesuffix(".png") for found in page.found]


async def add_copies(use_cases: UseCases, colour: str, number: int) -> None:
    for copy in range(number):
        file = picture_file(COLOURS[colour], words=f"copy {copy}")
        await use_cases.upload([upload(file, f"{colour} {copy}.png")])


@pytest.mark.usefixtures("by_colour")
async def test_only_hits_with_the_minimum_relevance_are_found(use_cases: UseCases) -> None:
    everything = await use_cases.search(RED, SearchOptions(min_relevance=0.0))
    assert len(COLOURS) == len(everything.found)
    relevances = {found.image.id: found.hit.relevance or 0.0 for found in everything.found}
    assert 1 < len({round(relevance, 6) for relevance in relevances.values()})
    for least in (*relevances.values(), 0.5, 1.0):
        page = await use_cases.search(RED, SearchOptions(min_relevance=least))
        expected = [found.image.id for found in everything.found]
        assert [id_ for id_ in expected if relevances[id_] >= least] == [
            found.image.id for found in page.found
        ]


async def test_a_file_of_the_library_finds_itself_first_with_certainty(
    use_cases: UseCases,
) -> None:
    # Both look the same to the encoder, and the ids would put the other one first.
    await add_copies(use_cases, "red", 3)
    for number in range(3):
        file = picture_file(COLOURS["red"], words=f"copy {number}")
        page = await use_cases.search(ByUpload(upload(file)), first=2)
        assert f"red {number}" == names(page)[0]
        assert (1.0, 1.0) == (page.found[0].hit.score, page.found[0].hit.relevance)
        rest = await use_cases.search(ByUpload(upload(file)), first=5, after=page.found[-1].cursor)
        assert {"red 0", "red 1", "red 2"} == {*names(page), *names(rest)}
    tagged = SearchOptions(ImageFilter(tags_any=("none",)))
    assert [] == names(await use_cases.search(ByUpload(upload(file)), tagged))
    again = await use_cases.search(
        BySearch(page.search_id), SearchOptions(ImageFilter(content_type_in=("image/png",)))
    )
    assert "red 2" == names(again)[0]
    await use_cases.delete([page.found[0].image.id])
    assert "red 2" not in names(await use_cases.search(ByUpload(upload(file))))


@pytest.mark.usefixtures("by_colour")
async def test_pages_of_relevant_hits_are_cut_from_the_kept_hits(
    use_cases: UseCases, embedding_space: FakeEmbeddingSpace
) -> None:
    options = SearchOptions(min_relevance=1e-6)
    whole = await use_cases.search(RED, options)
    scored = embedding_space.judged
    page = await use_cases.search(BySearch(whole.search_id), options, first=1)
    rest = await use_cases.search(RED, options, after=page.found[0].cursor)
    assert 1 < len(whole.found) < len(COLOURS)
    assert (True, False) == (page.has_next, rest.has_next)
    assert names(whole) == names(page) + names(rest)
    assert scored == embedding_space.judged


@pytest.mark.parametrize("bound", [-0.01, 1.01, 50.0, float("nan"), float("inf")])
def test_a_minimum_relevance_out_of_range_is_refused(bound: float) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        SearchOptions(min_relevance=bound)
    assert ("min_relevance",) == refusal.value.location
    assert f"The minimum relevance is {bound:g}; it may be 0 to 1" in refusal.value.message


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_is_valid_for_the_same_options_only(
    use_cases: UseCases,
) -> None:
    mine = SearchOptions(min_relevance=0.0, collapse=Collapse.EXACT_COPIES)
    page = await use_cases.search(RED, mine, first=1)
    assert 11 == len((await use_cases.search(RED, mine, after=page.found[0].cursor)).found)
    for other in (
        replace(mine, min_relevance=None),
        replace(mine, min_relevance=0.001),
        replace(mine, collapse=Collapse.NONE),
        replace(mine, collapse=Collapse.NEAR_DUPLICATES),
        replace(mine, exact=True),
    ):
        with pytest.raises(InvalidArgument, match="belongs to another search"):
            await use_cases.search(RED, other, after=page.found[0].cursor)


@pytest.mark.usefixtures("by_colour")
async def test_without_a_minimum_likely_hits_of_all_pages_are_relevant(
    use_cases: UseCases,
) -> None:
    expected = await use_cases.search(RED, LIKELY_ONLY)
    page = await use_cases.search(RED, first=0)
    relevant = await use_cases.search.relevant(page)
    assert [found.hit for found in expected.found] == relevant
    assert 0 < len(relevant) < len(COLOURS)


@pytest.mark.usefixtures("by_colour")
async def test_hits_with_a_minimum_relevance_are_not_scored_again(
    use_cases: UseCases, embedding_space: FakeEmbeddingSpace
) -> None:
    page = await use_cases.search(RED, SearchOptions(min_relevance=0.0), first=2)
    scored = embedding_space.judged
    relevant = await use_cases.search.relevant(page)
    assert len(COLOURS) == len(relevant)
    assert scored == embedding_space.judged


@pytest.mark.parametrize("least", [None, 0.0])
async def test_deleted_hits_are_not_relevant(
    use_cases: UseCases, by_colour: dict[str, Image], least: float | None
) -> None:
    page = await use_cases.search(RED, SearchOptions(min_relevance=least))
    before = await use_cases.search.relevant(page)
    assert by_colour["red"].id in [hit.image_id for hit in before]
    await use_cases.delete([by_colour["red"].id])
    after = await use_cases.search.relevant(page)
    assert [hit for hit in before if hit.image_id != by_colour["red"].id] == after


@pytest.mark.usefixtures("by_colour")
async def test_copies_collapse_into_the_best_of_them_and_are_counted(
    use_cases: UseCases,
) -> None:
    plain = await use_cases.search(RED)
    await add_copies(use_cases, "red", 2)
    await add_copies(use_cases, "blue", 1)
    whole = await use_cases.search(RED)
    page = await use_cases.search(RED, COPIES)
    assert len(COLOURS) + 3 == len(whole.found)
    assert [name.split()[0] for name in names(plain)] == [name.split()[0] for name in names(page)]
    counts = {found.image.filename.split(".")[0].split()[0]: found for found in page.found}
    for colour, found in counts.items():
        assert {"red": 3, "blue": 2}.get(colour, 1) == found.hit.collapsed_count
        assert found.score == max(
            each.score for each in whole.found if each.image.filename.startswith(colour)
        )


async def test_only_relevant_copies_are_counted_and_the_best_one_is_the_hit(
    use_cases: UseCases, catalog: MemoryCatalog, encoder: FakeEncoder
) -> None:
    [red, far] = await encoder.encode_texts(["red", "cyan"])
    for name, share in (("b", 0.05), ("a", 0.0), ("c", 0.1), ("d", 0.9)):
        point = [(1 - share) * x + share * y for x, y in zip(red, far, strict=True)]
        length = math.hypot(*point)
        copy = image_with(filename=f"{name}.png", pixel_sha256="c" * 64, perceptual_hash=hash_of(1))
        await catalog.add(copy, [x / length for x in point])
    everything = await use_cases.search(RED, SearchOptions(min_relevance=0.0))
    assert ["a", "b", "c", "d"] == names(everything)
    for count, found in enumerate(everything.found[:3], 1):
        bound = SearchOptions(min_relevance=found.hit.relevance, collapse=Collapse.EXACT_COPIES)
        page = await use_cases.search(RED, bound)
        assert [("a", count)] == [(*names(page), page.found[0].hit.collapsed_count)]


@pytest.mark.usefixtures("by_colour")
async def test_a_kept_search_stores_the_collapsed_counts(
    use_cases: UseCases, searches: MemoryKeptSearches
) -> None:
    await add_copies(use_cases, "red", 2)
    page = await use_cases.search(RED, COPIES, first=1)
    kept = await searches.load(page.search_id, since=page.search.created_at)
    assert [3] + 11 * [1] == [hit.collapsed_count for hit in kept.hits]
    again = await use_cases.search(BySearch(page.search_id), COPIES, first=1)
    assert page.found == again.found


class ApproximateCatalog(MemoryCatalog):
    """Misses some images unless the search is exact."""

    missed: frozenset[str] = frozenset()

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,
        images: int = 0,
    ) -> Ranking:
        truth = await super().search(query, criteria, limit=limit, images=images)
        here = await self.get([hit.image_id for hit in truth.hits])
        hits = [
            hit
            for hit in truth.hits
            if exact or here[hit.image_id].filename.removesuffix(".png") not in self.missed
        ]
        return replace(truth, hits=tuple(hits), exact=exact)

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        plan = await super().explain(query, criteria, limit=limit, exact=exact)
        return plan if exact else f"{plan}, approximately"


class TestApproximateSearch:
    """A catalog that misses images, as an approximate index scan does."""

    @pytest.fixture
    def catalog(self) -> ApproximateCatalog:
        return ApproximateCatalog()

    @pytest.mark.usefixtures("by_colour")
    async def test_recall_is_the_share_of_the_exact_page_that_a_page_has(
        self, use_cases: UseCases, catalog: ApproximateCatalog
    ) -> None:
        ranked = names(await use_cases.search(RED, SearchOptions(exact=True)))
        catalog.missed = frozenset({ranked[0], ranked[2], ranked[7]})
        page = await use_cases.search(RED, first=4)
        assert [ranked[place] for place in (1, 3, 4, 5)] == names(page)
        assert 0.5 == await use_cases.search.recall(page)
        page = await use_cases.search(RED, first=4, after=page.found[-1].cursor)
        assert [ranked[place] for place in (6, 8, 9, 10)] == names(page)
        assert 0.25 == await use_cases.search.recall(page)

    async def test_deleted_images_do_not_change_recall(
        self, use_cases: UseCases, by_colour: dict[str, Image]
    ) -> None:
        page = await use_cases.search(RED, first=4)
        gone = [found.image for found in page.found[:3]]
        rest = await use_cases.search(RED, first=3, after=page.found[-1].cursor)
        await use_cases.delete([image.id for image in gone])
        assert 1 == await use_cases.search.recall(rest)
        rest = await use_cases.search(RED, first=3, after=page.found[-1].cursor)
        assert 1 == await use_cases.search.recall(rest)
        assert len(by_colour) - 3 == len((await use_cases.search(RED)).found)

    @pytest.mark.usefixtures("by_colour")
    async def test_an_exact_page_and_an_empty_one_have_no_recall(self, use_cases: UseCases) -> None:
        exact = await use_cases.search(RED, SearchOptions(exact=True))
        empty = await use_cases.search(RED, first=0)
        for page in (exact, empty):
            assert await use_cases.search.recall(page) is None

    @pytest.mark.usefixtures("by_colour")
    async def test_the_plan_is_that_of_the_search_as_it_was_executed(
        self, use_cases: UseCases
    ) -> None:
        sea = ImageFilter(tags_any=("sea",))
        approximate = await use_cases.search(RED, SearchOptions(sea))
        exact = await use_cases.search(RED, SearchOptions(exact=True))
        plan = await use_cases.search.plan(approximate)
        assert "Compare 2 images, and keep 120, approximately" == plan
        assert "Compare 12 images, and keep 120" == await use_cases.search.plan(exact)
        again = await use_cases.search(BySearch(exact.search_id), SearchOptions(exact=True))
        assert "Compare 12 images, and keep 120" == await use_cases.search.plan(again)
        deep = await use_cases.search(RED, SearchOptions(exact=True), depth=SearchDepth.ALL)
        assert "Compare 12 images, and keep 1000" == await use_cases.search.plan(deep)


@pytest.mark.usefixtures("by_colour")
async def test_stages_are_in_order_and_skipped_ones_took_no_time(use_cases: UseCases) -> None:
    page = await use_cases.search(ByBlend((WeightedTerm(RED),)), first=1)
    assert ["encode", "search", "fetch"] == [stage.name for stage in page.stages]
    assert all(stage.milliseconds > 0 for stage in page.stages)
    by = ByBlend((WeightedTerm(RED),))
    for again in (
        await use_cases.search(by, after=page.found[0].cursor),
        await use_cases.search(BySearch(page.search_id)),
    ):
        assert ["encode", "search", "fetch"] == [stage.name for stage in again.stages]
        assert 0 == again.stages[1].milliseconds
        assert 0 < again.stages[2].milliseconds
