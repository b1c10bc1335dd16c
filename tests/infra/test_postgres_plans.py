"""Plans of searches: exact scan or index scan, by which index, and in how many statements."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import text

from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import GeoNear, ImageFilter
from domain.entities.scans import QueryShape, ScanParameters, ScanRow, ScanTable, Tuning
from domain.use_cases.search.tune import TuneScans
from infra.clip.embedding_space import NumpyEmbeddingSpace
from infra.postgres.events import Channel, PostgresEvents
from infra.postgres.vectors import planner
from infra.postgres.vectors.default_scans import DEFAULT_SCANS
from infra.postgres.vectors.index_state import IndexState
from infra.postgres.vectors.planner import Estimate, Planner, SearchBreadth, search_breadth
from infra.postgres.vectors.scan_tables import PostgresScanTables, ScanTableInUse
from infra.postgres.vectors.trials import PostgresQuerySamples, PostgresScanTrials
from tests.infra.statement_recorder import (
    EVERYTHING,
    EXACT_BELOW,
    IMAGES,
    MODEL,
    QUERY,
    StatementRecorder,
)
from tests.infra.synthetic_embeddings import BANK

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def breadth_of(kind: QueryKind, estimate: Estimate, *, limit: int) -> SearchBreadth:
    """Return the breadth with the default parameters and without their bound for exact scans."""
    table = replace(DEFAULT_SCANS, exact_below=0)
    return search_breadth(table, Query([1.0], kind), estimate, limit=limit)


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
    assert for_pictures == breadth_of(QueryKind.IMAGE, estimate, limit=limit).is_cheaper
    assert for_texts == breadth_of(QueryKind.TEXT, estimate, limit=limit).is_cheaper


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
    assert ef_search == breadth_of(kind, everything, limit=limit).parameters.ef_search


async def test_the_settings_of_an_index_scan_end_with_it(recorder: StatementRecorder) -> None:
    await recorder.search(EVERYTHING)
    async with recorder.library.engine.connect() as connection:
        assert "40" == await connection.scalar(text("SHOW hnsw.ef_search"))
        assert "off" == await connection.scalar(text("SHOW hnsw.iterative_scan"))


async def test_searches_are_exact_until_the_index_is_built(recorder: StatementRecorder) -> None:
    library = replace(recorder.library, index_state=IndexState())
    async with library.engine.connect() as connection:
        await connection.execute(text(f"ALTER INDEX {library.model.index} RENAME TO hidden"))
        await connection.commit()
        try:
            ranking = await library.search(QUERY, EVERYTHING, limit=20)
            reason = await library.explain(QUERY, EVERYTHING, limit=20, exact=True)
        finally:
            await connection.execute(text(f"ALTER INDEX hidden RENAME TO {library.model.index}"))
            await connection.commit()
    assert ranking.exact
    assert reason.startswith("Exact scan: the index is not built yet")


async def test_the_plan_says_where_the_parameters_come_from(recorder: StatementRecorder) -> None:
    library = recorder.library
    plan = await library.explain(QUERY, EVERYTHING, limit=20, exact=False)
    assert plan.startswith(
        "Index scan: ef_search 100, iterative scan on, for image queries of up to 120 hits; from "
        "the default table.\n"
    )
    few = ImageFilter(tags_any=("hundredth",))
    plan = await library.explain(QUERY, few, limit=20, exact=True)
    assert "Exact scan: about 6" in plan.splitlines()[0]


async def test_a_search_uses_tuned_parameters_which_its_plan_tells(
    recorder: StatementRecorder,
) -> None:
    row = ScanRow(QueryShape.IMAGE, 120, 1.0, IMAGES, ScanParameters(70, iterative=False), 10, 1.0)
    tuning = Tuning(datetime(2026, 11, 30, tzinfo=UTC), 0.98, 2_000)
    scans = ScanTableInUse(ScanTable((row,), tuning=tuning))
    tuned = StatementRecorder(replace(recorder.library, scans=scans))
    assert not (await tuned.search(EVERYTHING)).exact
    assert {"70", "off"} <= set(map(str, tuned.statements[-1][1]))
    # For a filter that half of the images match, a scan is twice as wide, and continues.
    assert not (await tuned.search(ImageFilter(tags_any=("half",)))).exact
    assert {"140", "relaxed_order"} <= set(map(str, tuned.statements[-1][1]))
    plan = await tuned.library.explain(QUERY, EVERYTHING, limit=20, exact=False)
    assert plan.startswith(
        "Index scan: ef_search 70, iterative scan off, for image queries of up to 120 hits; tuned "
        "on 2026-11-30 for a recall of 0.98 among 2,000 images; the library has grown: run "
        "`pictograph tune` again.\n"
    )


async def test_tuning_measures_and_stores_parameters_that_running_servers_read(
    recorder: StatementRecorder,
) -> None:
    library = recorder.library
    tables = PostgresScanTables(library.engine, library.model)

    async def bank() -> NDArray[np.float32]:
        points = BANK[:, :16]
        return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)

    space = NumpyEmbeddingSpace(library, bank, model=MODEL)
    tune = TuneScans(
        library,
        space,
        PostgresQuerySamples(library.engine, library.model, bank),
        PostgresScanTrials(library.engine, library.model),
        tables,
        lambda: datetime(2026, 11, 30, tzinfo=UTC),
    )
    try:
        async with (
            PostgresEvents.open(library.engine) as events,
            events.notified(Channel.SCAN_TABLES) as changed,
        ):
            changed.clear()
            report = await tune(target_recall=0.9, queries=10)
            await asyncio.wait_for(changed.wait(), timeout=60)
        scans = ScanTableInUse()
        await scans.refresh(tables)
        assert report.table == scans.table
        assert report.reaches_target
    finally:
        await tune.reset()
    await scans.refresh(tables)
    assert DEFAULT_SCANS == scans.table
