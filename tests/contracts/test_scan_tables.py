"""The contract of stored scan tables, timed scans and sampled queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio

from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.entities.scans import QueryShape, ScanParameters, ScanRow, ScanTable, Tuning
from domain.entities.searches import KeptSearch
from infra.postgres.engine import open_engine
from infra.postgres.searches import PostgresKeptSearches
from infra.postgres.vectors.scan_tables import PostgresScanTables
from infra.postgres.vectors.trials import PostgresQuerySamples, PostgresScanTrials
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import NOON, image_with
from tests.fakes.scans import MemoryQuerySamples, MemoryScanTables, MemoryScanTrials
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

    from domain.ports import QuerySamples, ScanTables, ScanTrials
    from tests.postgres_library import ImageLibrary

MODEL = EmbeddingModel("tests/small", 3)
QUERY = Query([1.0, 0.0, 0.0], QueryKind.TEXT)
CONCEPTS = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
IMAGES = 60


@dataclass(frozen=True, slots=True)
class Tunable:
    """An empty library, and the ports of tuning."""

    images: ImageLibrary
    tables: ScanTables
    trials: ScanTrials
    samples: QuerySamples


def kept_search(query: Query, model: str) -> KeptSearch:
    return KeptSearch(uuid4(), NOON, model, query, "", "", hits=(), exact=True)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def library(request: pytest.FixtureRequest) -> AsyncIterator[Tunable]:
    """A library whose users have searched for QUERY, with this model and with another."""
    if request.param == "memory":
        catalog = MemoryCatalog(MODEL)
        samples = MemoryQuerySamples([QUERY], CONCEPTS)
        yield Tunable(catalog, MemoryScanTables(), MemoryScanTrials(catalog), samples)
        return

    async def bank() -> NDArray[Any]:
        return np.array(CONCEPTS)

    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        images = await PostgresLibrary.open(engine, MODEL)
        searches = PostgresKeptSearches(engine)
        for model in (MODEL.name, "another"):
            await searches.save(kept_search(QUERY, model))
        yield Tunable(
            images,
            PostgresScanTables(engine, images.model),
            PostgresScanTrials(engine, images.model),
            PostgresQuerySamples(engine, images.model, bank),
        )


def table(ef_search: int) -> ScanTable:
    parameters = ScanParameters(ef_search, iterative=False)
    row = ScanRow(QueryShape.BLEND, 120, 0.3, 25_000, parameters, 4_000, 0.987)
    tuning = Tuning(datetime(2026, 11, 30, 12, tzinfo=UTC), 0.98, 25_000)
    return ScanTable((row, row), tuning=tuning)


async def test_a_library_has_no_table_until_one_is_saved(library: Tunable) -> None:
    assert await library.tables.load() is None


async def test_the_last_saved_table_is_loaded_until_it_is_reset(library: Tunable) -> None:
    for ef_search in (100, 200):
        await library.tables.save(table(ef_search))
    assert table(200) == await library.tables.load()
    for _ in range(2):
        await library.tables.reset()
        assert await library.tables.load() is None


async def test_an_exact_trial_finds_what_an_exact_search_finds(library: Tunable) -> None:
    await add_images(library)
    assert IMAGES == await library.trials.count()
    ranking = await library.images.search(QUERY, EVERYTHING, limit=20, exact=True)
    trial = await library.trials.nearest(QUERY, depth=20, share=1.0)
    assert tuple(hit.image_id for hit in ranking.hits) == trial.ids
    assert trial.milliseconds > 0


async def test_a_trial_for_a_filter_finds_some_of_the_images_only(library: Tunable) -> None:
    await add_images(library)
    trial = await library.trials.nearest(QUERY, depth=IMAGES, share=0.5)
    assert 0 < len(trial.ids) < IMAGES
    wide = ScanParameters(1_000, iterative=True)
    found = await library.trials.scan(QUERY, wide, depth=IMAGES, share=0.5)
    assert set(trial.ids) == set(found.ids)


@pytest.mark.parametrize("iterative", [False, True])
async def test_a_wide_scan_finds_the_nearest(library: Tunable, *, iterative: bool) -> None:
    await add_images(library)
    truth = await library.trials.nearest(QUERY, depth=20, share=1.0)
    wide = ScanParameters(1_000, iterative=iterative)
    assert truth.ids == (await library.trials.scan(QUERY, wide, depth=20, share=1.0)).ids


async def test_only_an_iterative_scan_finds_more_than_its_queue_has(library: Tunable) -> None:
    await add_images(library)
    for iterative, expected in ((False, 5), (True, 20)):
        narrow = ScanParameters(5, iterative=iterative)
        trial = await library.trials.scan(QUERY, narrow, depth=20, share=1.0)
        assert expected == len(trial.ids)


async def test_queries_are_kept_searches_of_the_model_and_concepts(library: Tunable) -> None:
    [kept] = await library.samples.kept(10)
    assert (QUERY.embedding, QUERY.kind) == (list(kept.embedding), kept.kind)
    assert not await library.samples.kept(0)
    assert CONCEPTS == list(await library.samples.concepts())


async def add_images(library: Tunable) -> None:
    points = np.random.default_rng(0).normal(size=(IMAGES, 3))
    for point in points / np.linalg.norm(points, axis=1, keepdims=True):
        await library.images.add(image_with(), point.tolist())
