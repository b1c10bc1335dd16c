"""Every adapter of a port, the fake first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from domain.embeddings import EmbeddingModel
from infra.postgres import PostgresCatalog, PostgresDuplicates
from infra.postgres.engine import open_engine
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.duplicates import MemoryDuplicates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.ports import Catalog, Duplicates

MODEL = EmbeddingModel("tests/small", 3)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def catalog(request: pytest.FixtureRequest) -> AsyncIterator[Catalog]:
    """An empty catalog of embeddings with three entries; ``postgres-walking`` trusts its index."""
    if request.param == "memory":
        yield MemoryCatalog(MODEL)
        return
    url = request.getfixturevalue("postgres_url")
    exact_below = 0 if request.param == "postgres-walking" else 20_000
    async with open_engine(url) as engine:
        yield await PostgresCatalog.open(engine, MODEL, exact_below=exact_below)


@pytest.fixture
def duplicates(catalog: Catalog) -> Duplicates:
    """The duplicates of the catalog's images."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryDuplicates(catalog)
    assert isinstance(catalog, PostgresCatalog)
    assert catalog.model
    return PostgresDuplicates(catalog.engine, catalog.model)
