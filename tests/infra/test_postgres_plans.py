"""Plans of searches: exact scan or index scan, by which index, and in how many statements."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.entities.embeddings import QueryKind
from domain.entities.filters import GeoNear, ImageFilter
from infra.postgres.vectors import planner
from infra.postgres.vectors.planner import Estimate, Planner, search_breadth
from tests.infra.statement_recorder import EVERYTHING, EXACT_BELOW, IMAGES, StatementRecorder


@pytest.mark.parametrize("limit", [20, 400])
async def test_a_search_of_many_candidates_scans_the_index(
    recorder: StatementRecorder, limit: int
) -> None:
    ranking = await recorder.search(EVERYTHING, limit=limit)
    assert (False, limit) == (ranking.exact, len(ranking.hits))
    assert "Index Scan using embeddings_1_hnsw" in await recorder.plan()
    assert 2 == len(recorder.statements)


@pytest.mark.parametrize(
    ("criteria", "exact"),
    [(EVERYTHING, False), (EVERYTHING, True), (ImageFilter(tags_none=("rare",)), False)],
)
async def test_images_come_with_the_ranking_in_the_same_statement(
    recorder: StatementRecorder,
    criteria: ImageFilter,
    exact: bool,  # noqa: FBT001
) -> None:
    ranking = await recorder.search(criteria, limit=120, exact=exact, images=21)
    assert 1 + (not exact) == len(recorder.statements)
    plan = await recorder.plan()
    assert exact == ("hnsw" not in plan)
    # The rows of the page are looked up one by one.
    assert "Index Scan using images_pkey" in plan
    alone = await recorder.search(criteria, limit=120, exact=exact)
    assert alone.hits == ranking.hits
    best = [hit.image_id for hit in ranking.hits[:21]]
    assert await recorder.library.get(best) == ranking.images
    assert best == list(ranking.images)


async def test_an_index_scan_is_ranked_again_in_full_precision(recorder: StatementRecorder) -> None:
    approximate = await recorder.search(EVERYTHING, limit=100)
    exact = await recorder.search(EVERYTHING, limit=100, exact=True)
    assert approximate.hits == exact.hits


async def test_a_filter_that_most_images_match_is_applied_to_an_index_scan(
    recorder: StatementRecorder,
) -> None:
    ranking = await recorder.search(ImageFilter(tags_none=("rare",)))
    assert (False, 20) == (ranking.exact, len(ranking.hits))
    plan = await recorder.plan()
    assert "Index Scan using embeddings_1_hnsw" in plan
    assert "Index Scan using images_pkey" in plan


@pytest.mark.parametrize(
    ("criteria", "index"),
    [
        (ImageFilter(tags_any=("rare",)), "images_by_tags"),
        (ImageFilter(tags_all=("quarter",)), ""),
        (ImageFilter(keywords="1234"), "images_by_words"),
        (ImageFilter(near=GeoNear(48.0, 9.0, 300)), "images_by_place"),
    ],
)
async def test_few_candidates_are_selected_by_the_index_of_the_filter_and_all_compared(
    recorder: StatementRecorder, criteria: ImageFilter, index: str
) -> None:
    ranking = await recorder.search(criteria)
    plan = await recorder.plan()
    assert ranking.exact
    assert "hnsw" not in plan
    assert index in plan
    assert 2 == len(recorder.statements)


async def test_an_exact_search_does_not_scan_the_vector_index(recorder: StatementRecorder) -> None:
    ranking = await recorder.search(EVERYTHING, exact=True)
    assert ranking.exact
    assert "hnsw" not in await recorder.plan()
    assert 1 == len(recorder.statements)


@pytest.mark.parametrize(
    ("tag", "scans_index", "index"),
    [
        ("half", True, "Index Scan using embeddings_1_hnsw"),
        ("tenth", False, ""),
        ("hundredth", False, "Bitmap Index Scan on images_by_tags"),
        ("rare", False, "Bitmap Index Scan on images_by_tags"),
    ],
)
async def test_the_number_of_matching_images_decides_the_kind_of_scan(
    recorder: StatementRecorder,
    tag: str,
    scans_index: bool,  # noqa: FBT001
    index: str,
) -> None:
    ranking = await recorder.search(ImageFilter(tags_any=(tag,)))
    plan = await recorder.plan()
    assert (not scans_index, scans_index) == (ranking.exact, "hnsw" in plan)
    assert index in plan


async def test_an_index_scan_that_finds_too_few_is_followed_by_an_exact_scan(
    recorder: StatementRecorder,
) -> None:
    far = ImageFilter(camera_make_in=("Far",))
    ranking = await recorder.search(far)
    assert (True, 20) == (ranking.exact, len(ranking.hits))
    assert 3 == len(recorder.statements)
    assert ranking == await recorder.search(far, exact=True)


@pytest.mark.parametrize("matching", [0, 1, EXACT_BELOW, 1_000 * IMAGES])
@pytest.mark.parametrize("tag", ["half", "rare"])
async def test_pages_are_full_however_wrong_the_estimate_is(
    recorder: StatementRecorder, tag: str, matching: int
) -> None:
    class WrongPlanner(Planner):
        async def estimate(self, *_: object) -> Estimate:
            return Estimate(matching, IMAGES)

    misled = StatementRecorder(replace(recorder.library, planner=WrongPlanner()))
    criteria = ImageFilter(tags_any=(tag,))
    for limit in (20, 400, 4_000):
        exact = await recorder.search(criteria, limit=limit, exact=True)
        assert exact.hits == (await misled.search(criteria, limit=limit)).hits


async def test_the_estimate_of_a_filter_is_cached_until_it_expires(
    recorder: StatementRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_rare = ImageFilter(tags_none=("rare",))
    for criteria, statements in ((EVERYTHING, 2), (not_rare, 4), (not_rare, 5), (EVERYTHING, 6)):
        await recorder.search(criteria)
        assert statements == len(recorder.statements)
    monkeypatch.setattr(planner, "ESTIMATE_LIFETIME_SECONDS", -1.0)
    await recorder.search(not_rare)
    assert 8 == len(recorder.statements)


async def test_the_least_recently_used_estimate_is_evicted(
    recorder: StatementRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "MAX_CACHED_ESTIMATES", 2)
    one, other = ImageFilter(tags_any=("rare",)), ImageFilter(tags_any=("quarter",))
    for criteria, statements in ((EVERYTHING, 2), (one, 4), (EVERYTHING, 5), (other, 7)):
        await recorder.search(criteria)
        assert statements == len(recorder.statements)
    await recorder.search(EVERYTHING)
    await recorder.search(one)
    assert 10 == len(recorder.statements)


@pytest.mark.parametrize(
    ("matching", "limit", "for_pictures", "for_texts"),
    [
        (200_000, 20, True, True),
        (200_000, 1_000, True, True),
        (100_000, 20, True, True),
        (100_000, 1_000, True, True),
        (20_000, 20, True, False),
        (20_000, 1_000, False, False),
        (2_000, 20, False, False),
        (0, 20, False, False),
    ],
)
def test_an_index_scan_is_cheaper_where_many_match_and_few_hits_are_wanted(
    matching: int,
    limit: int,
    for_pictures: bool,  # noqa: FBT001
    for_texts: bool,  # noqa: FBT001
) -> None:
    estimate = Estimate(matching, 200_000)
    assert for_pictures == search_breadth(QueryKind.IMAGE, estimate, limit=limit).is_cheaper
    assert for_texts == search_breadth(QueryKind.TEXT, estimate, limit=limit).is_cheaper


@pytest.mark.parametrize(
    ("kind", "limit", "ef_search"),
    [
        (QueryKind.IMAGE, 120, 100),
        (QueryKind.IMAGE, 1_000, 100),
        (QueryKind.TEXT, 120, 600),
        (QueryKind.TEXT, 400, 600),
        (QueryKind.TEXT, 401, 450),
        (QueryKind.TEXT, 2_000, 450),
    ],
)
def test_the_breadth_of_an_index_scan_depends_on_the_kind_of_query_and_the_hits(
    kind: QueryKind, limit: int, ef_search: int
) -> None:
    everything = Estimate(200_000, 200_000)
    assert ef_search == search_breadth(kind, everything, limit=limit).ef_search


async def test_the_settings_of_an_index_scan_end_with_it(recorder: StatementRecorder) -> None:
    await recorder.search(EVERYTHING)
    async with recorder.library.engine.connect() as connection:
        assert "40" == await connection.scalar(text("SHOW hnsw.ef_search"))
        assert "off" == await connection.scalar(text("SHOW hnsw.iterative_scan"))
