"""Workers of the loaded models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from domain.runtime.worker import GENTLY, keep_all_indexing
from domain.use_cases.indexing import AT_ONCE
from tests.domain.model_loader import (
    ACTIVE,
    BACKFILLING,
    READY,
    RETIRED,
    FakeModelLoader,
    until_closed,
)

if TYPE_CHECKING:
    from domain.runtime.loaded_models import LoadedModels


async def test_each_loaded_model_has_a_worker_until_it_is_dropped(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    loader.models.set_states(new=BACKFILLING)
    working = asyncio.create_task(keep_all_indexing(loaded_models, wait=wait))
    await loaded_models.refresh()
    async with asyncio.timeout(30):
        while len(loader.finished) < 3:  # noqa: ASYNC110 - a worker has no event
            await asyncio.sleep(0)
    loader.models.set_states(new=RETIRED)
    await loaded_models.refresh()
    await until_closed(loader, "new")
    finished = len(loader.finished)
    await asyncio.sleep(0.01)
    assert finished == len(loader.finished)
    working.cancel()
    await asyncio.wait([working])


@pytest.mark.parametrize("gently", [True, False])
async def test_a_server_backfills_a_model_with_less_concurrency_than_the_active_one(
    loader: FakeModelLoader, loaded_models: LoadedModels, *, gently: bool
) -> None:
    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    working = asyncio.create_task(
        keep_all_indexing(loaded_models, wait=lambda: asyncio.sleep(0), gently=gently)
    )
    async with asyncio.timeout(30):
        while len(loader.at_once) < 2:  # noqa: ASYNC110 - a worker has no event
            await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert {"old": AT_ONCE, "new": GENTLY if gently else AT_ONCE} == loader.at_once


async def test_a_caller_that_works_for_one_model_excludes_it(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    worked: list[str] = []

    async def record(model_id: int) -> None:
        worked.append(loader.models.stored[model_id].name)

    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    loaded_models.finish = record
    but = loaded_models.active().model.id
    working = asyncio.create_task(
        keep_all_indexing(loaded_models, wait=lambda: asyncio.sleep(0), but=but)
    )
    await asyncio.sleep(0.05)
    # A model that is promoted in the meantime keeps its worker.
    loader.models.set_states(old=READY, new=ACTIVE)
    await loaded_models.refresh()
    loader.models.set_states(old=BACKFILLING)
    await loaded_models.refresh()
    worked_before = set(worked)
    await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.wait([working])
    assert {"new"} == worked_before == set(worked)
