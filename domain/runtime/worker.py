"""Workers: one for each loaded model indexes the tasks of the model, and waits for more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from domain.failure_log import FailureLog
from domain.use_cases.indexing import INDEXING_CONCURRENCY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from domain.runtime.loaded_models import LoadedModels
    from domain.use_cases.indexing import IndexImages

WORKER_POLL_SECONDS = 1.0
"""How long an idle worker waits before it looks for tasks again."""

BACKFILL_CHECK_SECONDS = 10.0
"""How often a busy worker checks whether its model's backfill is complete."""

LOW_PRIORITY_CONCURRENCY = 2
"""How many pictures of a backfill are processed at once on a server: more would slow its searches
down."""


async def wait_and_poll() -> None:
    """Wait before looking for tasks again."""
    await asyncio.sleep(WORKER_POLL_SECONDS)


async def keep_all_indexing(
    loaded_models: LoadedModels,
    *,
    on_ended: Callable[[int], None] = lambda _: None,
    wait: Callable[[], Awaitable[None]] = wait_and_poll,
    low_priority: bool = False,
    except_model_id: int | None = None,
) -> None:
    """Run a worker for each loaded model until cancelled. No model waits for another's backfill.

    ``low_priority`` leaves most of the machine to the active model. ``except_model_id`` is a model
    that the caller indexes by itself.
    """

    def concurrency(model_id: int) -> int:
        is_active = loaded_models.active().model.id == model_id
        return INDEXING_CONCURRENCY if is_active or not low_priority else LOW_PRIORITY_CONCURRENCY

    workers: dict[int, asyncio.Task[None]] = {}
    try:
        while True:
            models = {
                each.model.id: each
                for each in loaded_models.live()
                if each.model.id != except_model_id
            }
            for model_id in [model_id for model_id in workers if model_id not in models]:
                workers.pop(model_id).cancel()
            for model_id, loaded in models.items():
                if model_id not in workers:
                    working = keep_indexing(
                        replace(loaded.use_cases.index, concurrency=partial(concurrency, model_id)),
                        on_ended=on_ended,
                        finish_backfill=partial(loaded_models.finish_backfill, model_id),
                        wait=wait,
                    )
                    workers[model_id] = asyncio.create_task(working)
            await wait()
    finally:
        for worker in workers.values():
            worker.cancel()
        await asyncio.gather(*workers.values(), return_exceptions=True)


async def no_backfill() -> None:
    """Do nothing: the model has no backfill to finish."""


async def keep_indexing(
    index: IndexImages,
    *,
    on_ended: Callable[[int], None] = lambda _: None,
    finish_backfill: Callable[[], Awaitable[None]] = no_backfill,
    wait: Callable[[], Awaitable[None]] = wait_and_poll,
) -> None:
    """Index until cancelled. ``on_ended`` is called with the number of tasks that ended.

    ``finish_backfill`` is called whenever the queue is empty. It is also called every
    BACKFILL_CHECK_SECONDS: under steady uploads, the queue is never empty.
    """
    loop = asyncio.get_running_loop()
    failures = FailureLog("tasks could not be processed")
    while True:
        with failures.run():
            checked_at = loop.time()
            async for count in index():
                failures.succeeded()
                on_ended(count)
                if loop.time() > checked_at + BACKFILL_CHECK_SECONDS:
                    await finish_backfill()
                    checked_at = loop.time()
            await finish_backfill()
        await wait()
