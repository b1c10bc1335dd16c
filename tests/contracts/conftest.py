"""Fixtures of every adapter of a port, the fake first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from domain.entities.embeddings import EmbeddingModel
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.duplicates import MemoryDuplicates
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.ports import Duplicates
    from tests.postgres_library import ImageLibrary

MODEL = EmbeddingModel("tests/small", 3)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def catalog(request: pytest.FixtureRequest) -> AsyncIterator[ImageLibrary]:
    """An empty library of three dimensions; ``postgres-index`` scans its index at any size."""
    if request.param == "memory":
        yield MemoryCatalog(MODEL)
        return
    url = request.getfixturevalue("postgres_url")
    exact_below = 0 if request.param == "postgres-index" else 20_000
    async with open_engine(url) as engine:
        yield await PostgresLibrary.open(engine, MODEL, exact_below=exact_below)


@pytest.fixture
def duplicates(catalog: ImageLibrary) -> Duplicates:
    """The duplicates among the catalog's images."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryDuplicates(catalog)
    assert isinstance(catalog, PostgresLibrary)
    assert catalog.model
    return PostgresDuplicates(catalog.engine, catalog.model)
