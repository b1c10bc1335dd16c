"""Workers of the models that are loaded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from domain.runtime.worker import LOW_PRIORITY_CONCURRENCY, keep_all_indexing
from domain.use_cases.indexing import INDEXING_CONCURRENCY
from tests.domain.shops import (
    ACTIVE,
    BACKFILLING,
    READY,
    RETIRED,
    Shop,
    until_closed,
)

if TYPE_CHECKING:
    from domain.runtime.loaded_models import LoadedModels


async def test_each_loaded_model_has_a_worker_until_it_is_dropped(
    shop: Shop, editions: LoadedModels
) -> None:
    async def a_moment() -> None:
        await asyncio.sleep(0)

    shop.models.set(new=BACKFILLING)
    working = asyncio.create_task(keep_all_indexing(editions, wait=a_moment))
    await editions.refresh()
    async with asyncio.timeout(30):
        while len(shop.models.settled) < 3:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0)
    shop.models.set(new=RETIRED)
    await editions.refresh()
    await until_closed(shop, "new")
    settled = len(shop.models.settled)
    await asyncio.sleep(0.01)
    assert settled == len(shop.models.settled)
    working.cancel()
    await asyncio.wait([working])


@pytest.mark.parametrize("gently", [True, False])
async def test_a_server_fills_a_model_gently_beside_the_one_that_answers(
    shop: Shop, editions: LoadedModels, *, gently: bool
) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    working = asyncio.create_task(
        keep_all_indexing(editions, wait=lambda: asyncio.sleep(0), low_priority=gently)
    )
    async with asyncio.timeout(30):
        while len(shop.at_once) < 2:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert {
        "old": INDEXING_CONCURRENCY,
        "new": LOW_PRIORITY_CONCURRENCY if gently else INDEXING_CONCURRENCY,
    } == shop.at_once


async def test_who_works_for_one_model_may_leave_the_others_to_workers_beside(
    shop: Shop, editions: LoadedModels
) -> None:
    worked: list[str] = []

    async def noting(model_id: int) -> None:
        worked.append(next(each.name for each in shop.models.known.values() if each.id == model_id))

    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    object.__setattr__(shop.models, "finish_backfill", noting)
    but = editions.answering().model.id
    working = asyncio.create_task(
        keep_all_indexing(editions, wait=lambda: asyncio.sleep(0), except_model_id=but)
    )
    await asyncio.sleep(0.05)
    # One that is promoted meanwhile is among the others still.
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    shop.models.set(old=BACKFILLING)
    await editions.refresh()
    worked_by_then = set(worked)
    await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.wait([working])
    assert {"new"} == worked_by_then == set(worked)
