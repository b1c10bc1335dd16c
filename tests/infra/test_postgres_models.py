"""The first model of a library, and the refusal of another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain import build_model_use_cases
from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.filters import ImageFilter
from domain.errors import Misconfigured
from infra.postgres.catalog.catalog import PostgresCatalog
from infra.postgres.engine import open_engine
from infra.postgres.models import backfill
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.models.models import PostgresModels
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary, activate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

SMALL = EmbeddingModel("tests/small", 3)
LARGE = EmbeddingModel("tests/large", 3_000)


async def states(engine: AsyncEngine) -> dict[tuple[str, int], str]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT name, dimensions, state FROM models"))
        return {(row.name, row.dimensions): row.state for row in rows}


async def test_the_first_model_becomes_the_active_one(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        first = await activate(engine, SMALL)
        assert first == await activate(engine, SMALL)
        assert {("tests/small", 3): "active"} == await states(engine)


async def test_servers_that_start_at_the_same_time_activate_one_model(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        models = await asyncio.gather(*(activate(engine, SMALL) for _ in range(5)))
        assert 1 == len(set(models))


async def test_a_library_without_embeddings_changes_to_another_model_and_back(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        small = await activate(engine, SMALL)
        await activate(engine, LARGE)
        assert {("tests/small", 3): "retired", ("tests/large", 3_000): "active"} == await states(
            engine
        )
        assert small == await activate(engine, SMALL)


async def test_a_model_that_did_not_embed_the_library_is_refused_with_both_names(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        catalog = await PostgresLibrary.open(engine, SMALL)
        image = await catalog.add(image_with(), (1.0, 0.0, 0.0))
        for other in (LARGE, EmbeddingModel("tests/small", 4)):
            with pytest.raises(Misconfigured, match=f"tests/small.*{other.name}"):
                await PostgresLibrary.open(engine, other)
        await catalog.delete([image.id])
        await PostgresLibrary.open(engine, LARGE)


async def test_vectors_too_long_for_a_page_are_stored_and_found(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        for below in (20_000, 0):
            catalog = await PostgresLibrary.open(engine, LARGE, exact_below=below)
            vector = [1.0] + [0.0] * 2_999
            image = await catalog.add(image_with(), vector)
            ranking = await catalog.search(
                Query(vector, QueryKind.IMAGE), ImageFilter(), limit=1, exact=False
            )
            assert pytest.approx([1.0]) == [hit.score for hit in ranking.hits]
            [stored] = (await catalog.embeddings([image.id])).values()
            assert vector == list(stored)


async def test_a_catalog_needs_no_model(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        image = await (await PostgresLibrary.open(engine, SMALL)).add(image_with(), (0.0, 1.0, 0.0))
        assert {image.id: image} == await PostgresCatalog(engine).get([image.id])


async def test_an_image_that_is_deleted_during_its_reupload_is_added(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_engine(postgres_url) as engine:
        catalog = await PostgresLibrary.open(engine, SMALL)
        first = await catalog.add(image_with(), (1.0, 0.0, 0.0))
        existing = PostgresLibrary.existing

        async def existing_after_deletion(self: PostgresLibrary, sha256: str) -> object:
            await self.delete([first.id])
            return await existing(self, sha256)

        monkeypatch.setattr(PostgresLibrary, "existing", existing_after_deletion)
        second = image_with(sha256=first.sha256)
        assert second == await catalog.add(second, (1.0, 0.0, 0.0))


async def test_an_index_is_built_by_one_process_where_workers_have_no_memory(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    division_by_zero = "22012"
    failing = text("SELECT CAST(:bytes AS bigint) / 0")
    monkeypatch.setattr(backfill, "SET_BUILD_MEMORY", failing)
    async with open_engine(postgres_url) as engine:
        changes, models = PostgresModelChanges(engine), PostgresModels(engine)
        model = await activate(engine, SMALL)
        use_cases = build_model_use_cases(models, changes, lambda: datetime.now(UTC))
        assert await use_cases.defer_index(model.id)
        with pytest.raises(DBAPIError):
            await use_cases.build_index(model.id)
        assert [model.id] == [each.id for each in await models.unindexed()]
        monkeypatch.setattr(backfill, "NO_SHARED_MEMORY", (division_by_zero,))
        await use_cases.build_index(model.id)
        assert not await models.unindexed()
        async with engine.connect() as connection:
            workers = text("SHOW max_parallel_maintenance_workers")
            assert "2" == await connection.scalar(workers)
    assert "is built by one process" in caplog.text
