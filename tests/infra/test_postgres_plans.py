"""How PostgreSQL goes about the catalog's statements: by which index, and in how many steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.entities.embeddings import QueryKind
from domain.entities.filters import GeoNear, ImageFilter
from infra.postgres.vectors import planner
from infra.postgres.vectors.nearest import reach_of
from infra.postgres.vectors.planner import Estimate, Planner
from tests.infra.watched import EVERYTHING, IMAGES, LARGE, Watched


@pytest.mark.parametrize("limit", [20, 400])
async def test_many_candidates_are_found_by_walking_the_index(watched: Watched, limit: int) -> None:
    ranking = await watched.search(EVERYTHING, limit=limit)
    assert (False, limit) == (ranking.exact, len(ranking.hits))
    assert "Index Scan using embeddings_1_hnsw" in await watched.plan()
    assert 2 == len(watched.statements)


async def test_a_walk_is_put_in_the_order_of_exact_scores(watched: Watched) -> None:
    walked = await watched.search(EVERYTHING, limit=100)
    exact = await watched.search(EVERYTHING, limit=100, exact=True)
    assert walked.hits == exact.hits


async def test_a_mild_filter_is_asked_along_the_walk(watched: Watched) -> None:
    ranking = await watched.search(ImageFilter(tags_none=("rare",)))
    assert (False, 20) == (ranking.exact, len(ranking.hits))
    plan = await watched.plan()
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
async def test_few_candidates_are_all_compared_by_the_filters_own_index(
    watched: Watched, criteria: ImageFilter, index: str
) -> None:
    ranking = await watched.search(criteria)
    plan = await watched.plan()
    assert ranking.exact
    assert "hnsw" not in plan
    assert index in plan
    assert 2 == len(watched.statements)


async def test_a_search_that_must_be_exact_never_walks(watched: Watched) -> None:
    ranking = await watched.search(EVERYTHING, exact=True)
    assert ranking.exact
    assert "hnsw" not in await watched.plan()
    assert 1 == len(watched.statements)


@pytest.mark.parametrize(
    ("tag", "walks", "index"),
    [
        ("half", True, "Index Scan using embeddings_1_hnsw"),
        ("tenth", False, ""),
        ("hundredth", False, "Bitmap Index Scan on images_by_tags"),
        ("rare", False, "Bitmap Index Scan on images_by_tags"),
    ],
)
async def test_how_many_match_decides_who_is_asked(
    watched: Watched,
    tag: str,
    walks: bool,  # noqa: FBT001
    index: str,
) -> None:
    ranking = await watched.search(ImageFilter(tags_any=(tag,)))
    plan = await watched.plan()
    assert (not walks, walks) == (ranking.exact, "hnsw" in plan)
    assert index in plan


async def test_a_walk_that_ends_with_too_few_is_repeated_exactly(watched: Watched) -> None:
    far = ImageFilter(camera_make_in=("Far",))
    ranking = await watched.search(far)
    assert (True, 20) == (ranking.exact, len(ranking.hits))
    assert 3 == len(watched.statements)
    assert ranking == await watched.search(far, exact=True)


@pytest.mark.parametrize("matching", [0, 1, LARGE, 1_000 * IMAGES])
@pytest.mark.parametrize("tag", ["half", "rare"])
async def test_pages_are_full_however_wrong_the_estimate_is(
    watched: Watched, tag: str, matching: int
) -> None:
    class Mistaken(Planner):
        async def estimate(self, *_: object) -> Estimate:
            return Estimate(matching, IMAGES)

    mistaken = Watched(replace(watched.catalog, planner=Mistaken()))
    criteria = ImageFilter(tags_any=(tag,))
    for limit in (20, 400, 4_000):
        exact = await watched.search(criteria, limit=limit, exact=True)
        assert exact.hits == (await mistaken.search(criteria, limit=limit)).hits


async def test_a_filter_is_reckoned_once_a_minute(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    mild = ImageFilter(tags_none=("rare",))
    for criteria, statements in ((EVERYTHING, 2), (mild, 4), (mild, 5), (EVERYTHING, 6)):
        await watched.search(criteria)
        assert statements == len(watched.statements)
    monkeypatch.setattr(planner, "LIFETIME", -1.0)
    await watched.search(mild)
    assert 8 == len(watched.statements)


async def test_the_filters_that_were_not_asked_for_the_longest_are_forgotten(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "MOST_KEPT", 2)
    one, other = ImageFilter(tags_any=("rare",)), ImageFilter(tags_any=("quarter",))
    for criteria, statements in ((EVERYTHING, 2), (one, 4), (EVERYTHING, 5), (other, 7)):
        await watched.search(criteria)
        assert statements == len(watched.statements)
    await watched.search(EVERYTHING)
    await watched.search(one)
    assert 10 == len(watched.statements)


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
def test_a_walk_pays_where_enough_match_for_as_many_as_are_wanted(
    matching: int,
    limit: int,
    for_pictures: bool,  # noqa: FBT001
    for_texts: bool,  # noqa: FBT001
) -> None:
    found = Estimate(matching, 200_000)
    assert for_pictures == reach_of(QueryKind.IMAGE, found, limit=limit).pays
    assert for_texts == reach_of(QueryKind.TEXT, found, limit=limit).pays


async def test_the_width_of_a_walk_ends_with_it(watched: Watched) -> None:
    await watched.search(EVERYTHING)
    async with watched.catalog.engine.connect() as connection:
        assert "40" == await connection.scalar(text("SHOW hnsw.ef_search"))
        assert "off" == await connection.scalar(text("SHOW hnsw.iterative_scan"))
