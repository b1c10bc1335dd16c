"""Tuning: which searches are measured, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.scans import QueryShape
from domain.entities.searches import SEARCH_DEPTHS
from domain.errors import InvalidArgument, Misconfigured
from domain.use_cases.search import tune
from domain.use_cases.search.tune import TuneScans
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.embedding_space import FakeEmbeddingSpace
from tests.fakes.images import image_with
from tests.fakes.scans import MemoryQuerySamples, MemoryScanTables, MemoryScanTrials

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from domain.entities.scans import ScanParameters, Trial
    from domain.use_cases.search.tune import TuningReport

IMAGES = 60
QUERIES = 10


def embeddings(count: int, *, seed: int) -> list[Embedding]:
    points = np.random.default_rng(seed).normal(size=(count, 16))
    return list((points / np.linalg.norm(points, axis=1, keepdims=True)).tolist())


class RecordingTrials(MemoryScanTrials):
    """Records the queries that were scanned for."""

    def __init__(self, vectors: MemoryCatalog, *, step: int = 1) -> None:
        super().__init__(vectors, step=step)
        self.queries: list[tuple[Query, float]] = []

    async def scan(
        self, query: Query, parameters: ScanParameters, *, depth: int, share: float
    ) -> Trial:
        self.queries.append((query, share))
        return await super().scan(query, parameters, depth=depth, share=share)


@dataclass
class Tuned:
    """A library of some images, and what tunes it."""

    catalog: MemoryCatalog
    trials: RecordingTrials
    samples: MemoryQuerySamples
    tables: MemoryScanTables = field(default_factory=MemoryScanTables)
    clock: SettableClock = field(default_factory=SettableClock)

    @property
    def tune(self) -> TuneScans:
        return TuneScans(
            self.catalog,
            FakeEmbeddingSpace(self.catalog),
            self.samples,
            self.trials,
            self.tables,
            self.clock,
        )


def unfiltered(report: TuningReport) -> set[int]:
    """Return the values of ef_search for searches without a filter."""
    return {row.parameters.ef_search for row in report.table.rows if row.selectivity == 1}


@pytest.fixture
async def library(monkeypatch: pytest.MonkeyPatch) -> Tuned:
    monkeypatch.setattr(tune, "MIN_IMAGES", IMAGES)
    monkeypatch.setattr(tune, "MIN_FILTERED_IMAGES", 20)
    monkeypatch.setattr(tune, "SHARES", (1.0, 0.5, 0.1))
    catalog = MemoryCatalog(EmbeddingModel("fake", 16))
    for embedding in embeddings(IMAGES, seed=1):
        await catalog.add(image_with(), embedding)
    samples = MemoryQuerySamples(concepts=embeddings(30, seed=2))
    # A scan with ef_search 100 finds 10 of the 20 nearest, one with 200 finds 20.
    return Tuned(catalog, RecordingTrials(catalog, step=10), samples)


async def test_the_narrowest_scan_that_reaches_the_recall_is_stored(library: Tuned) -> None:
    report = await library.tune(queries=QUERIES)
    table = await library.tables.load()
    assert table == report.table
    assert report.reaches_target
    assert {200} == {row.parameters.ef_search for row in report.table.rows}
    tuning = report.table.tuning
    assert tuning
    assert (library.clock.now, 0.98, IMAGES) == (
        tuning.tuned_at,
        tuning.target_recall,
        tuning.images,
    )


async def test_a_lower_recall_is_reached_by_a_narrower_scan(library: Tuned) -> None:
    report = await library.tune(target_recall=0.5, queries=QUERIES)
    assert {100} == unfiltered(report)


async def test_each_shape_and_depth_has_a_row_also_with_filters_that_many_match(
    library: Tuned,
) -> None:
    report = await library.tune(queries=QUERIES)
    expected = [
        (shape, depth, share)
        for share in (1.0, 0.5)
        for shape in (QueryShape.TEXT, QueryShape.IMAGE, QueryShape.BLEND)
        for depth in SEARCH_DEPTHS
    ]
    assert expected == [(row.shape, row.depth, row.selectivity) for row in report.table.rows]


async def test_kept_searches_are_half_of_the_queries_at_most(library: Tuned) -> None:
    searched = [Query(each, QueryKind.TEXT) for each in embeddings(8, seed=3)]
    library.samples = MemoryQuerySamples(searched, embeddings(30, seed=2))
    await library.tune(queries=QUERIES)
    tried = [query for query, _ in library.trials.queries]
    assert [True] * 5 + [False] * 3 == [query in tried for query in searched]


async def test_the_reported_recall_is_of_queries_that_chose_nothing(library: Tuned) -> None:
    await library.tune(queries=QUERIES)
    texts = [
        query
        for query, share in library.trials.queries
        if QueryShape.of(query) is QueryShape.TEXT and share == 1
    ]
    # Half of them with every parameter, the other half with the chosen one, at each depth.
    counts = sorted(texts.count(query) for query in {id(query): query for query in texts}.values())
    depths = len(SEARCH_DEPTHS)
    assert [depths] * 5 + [depths * len(tune.GRID)] * 5 == counts


async def test_nothing_is_stored_in_a_dry_run_and_progress_is_told(library: Tuned) -> None:
    told: list[tuple[int, int]] = []
    await library.tune(
        queries=QUERIES, store=False, progress=lambda done, total: told.append((done, total))
    )
    assert await library.tables.load() is None
    total = QUERIES * 3 * (1 + len(SEARCH_DEPTHS)) * 2
    assert [(number, total) for number in range(1, total + 1)] == told


async def test_a_reset_brings_the_defaults_back(library: Tuned) -> None:
    await library.tune(queries=QUERIES)
    await library.tune.reset()
    assert await library.tables.load() is None


async def test_a_recall_that_no_parameter_reaches_is_reported(library: Tuned) -> None:
    library.trials = RecordingTrials(library.catalog, step=200)
    report = await library.tune(queries=QUERIES)
    assert not report.reaches_target
    assert {1_000} == unfiltered(report)


@pytest.mark.parametrize(
    ("values", "location"),
    [
        ({"target_recall": 0.0}, ("target_recall",)),
        ({"target_recall": 1.0}, ("target_recall",)),
        ({"queries": 9}, ("queries",)),
    ],
)
async def test_impossible_values_are_refused(
    library: Tuned, values: dict[str, float], location: tuple[str]
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await library.tune(**values)  # type: ignore[arg-type] # either of two
    assert location == refusal.value.location


async def test_a_library_that_is_always_scanned_exactly_is_refused(
    library: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "MIN_IMAGES", IMAGES + 1)
    with pytest.raises(Misconfigured, match="60 embedded images; below 61, every search is exact"):
        await library.tune(queries=QUERIES)
