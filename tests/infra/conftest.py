"""Fixtures of the tests of adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from infra.postgres.engine import open_engine
from tests.infra.statement_recorder import EXACT_BELOW, FILL, IMAGES, MODEL, StatementRecorder
from tests.postgres_library import PostgresLibrary, activate
from tests.postgres_models import AT_OLD, OLD, PostgresModelLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal

    from tests.databases import Databases


@pytest.fixture(scope="session")
def filled_url(portal: BlockingPortal, databases: Databases) -> Iterator[str]:
    async def fill(url: str) -> None:
        async with open_engine(url) as engine:
            await PostgresLibrary.open(engine, MODEL)
            async with engine.begin() as connection:
                for statement in FILL:
                    await connection.execute(statement, {"count": IMAGES})

    with portal.wrap_async_context_manager(databases.own()) as url:
        portal.call(fill, url)
        yield url


@pytest_asyncio.fixture
async def recorder(filled_url: str) -> AsyncIterator[StatementRecorder]:
    async with open_engine(filled_url) as engine:
        library = await PostgresLibrary.open(engine, MODEL, exact_below=EXACT_BELOW)
        async with engine.connect() as connection:
            # So that no recorded search asks for it.
            assert await library.index_state.is_built(connection, library.model)
        yield StatementRecorder(library)


@pytest_asyncio.fixture
async def library(postgres_url: str) -> AsyncIterator[PostgresModelLibrary]:
    async with open_engine(postgres_url) as engine:
        yield PostgresModelLibrary(engine, await activate(engine, OLD, source=AT_OLD))
