"""Workers: one for each loaded model does what is written down, and then waits for more."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from domain.use_cases.indexing import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from domain.runtime.loaded_models import LoadedModels
    from domain.use_cases.indexing import IndexImages

PAUSE_SECONDS = 1.0

SETTLE_SECONDS = 10.0

GENTLY = 2
"""Pictures at once beside searches by another model: of more, those would have to wait."""

logger = logging.getLogger(__name__)


async def a_moment() -> None:
    """Wait until there may be more to do."""
    await asyncio.sleep(PAUSE_SECONDS)


async def keep_all_indexing(
    editions: LoadedModels,
    *,
    ended: Callable[[int], None] = lambda _: None,
    wait: Callable[[], Awaitable[None]] = a_moment,
    gently: bool = False,
    but: int | None = None,
) -> None:
    """Work for every loaded model, side by side: nobody waits until a new one is filled.

    ``gently`` leaves most of the machine to the model that answers. Who works for one of them
    already says so by ``but``, its id.
    """

    def at_once(model_id: int) -> int:
        is_answering = editions.active().model.id == model_id
        return AT_ONCE if is_answering or not gently else GENTLY

    workers: dict[int, asyncio.Task[None]] = {}
    try:
        while True:
            kept = {each.model.id: each for each in editions.live() if each.model.id != but}
            for model_id in [model_id for model_id in workers if model_id not in kept]:
                workers.pop(model_id).cancel()
            for model_id, edition in kept.items():
                if model_id not in workers:
                    settle = partial(editions.finish_backfill, model_id)
                    index = replace(edition.use_cases.index, at_once=partial(at_once, model_id))
                    working = keep_indexing(index, ended=ended, settle=settle, wait=wait)
                    workers[model_id] = asyncio.create_task(working)
            await wait()
    finally:
        for worker in workers.values():
            worker.cancel()
        await asyncio.gather(*workers.values(), return_exceptions=True)


async def nothing() -> None:
    """Have nothing to finish."""


async def keep_indexing(
    index: IndexImages,
    *,
    ended: Callable[[int], None] = lambda _: None,
    settle: Callable[[], Awaitable[None]] = nothing,
    wait: Callable[[], Awaitable[None]] = a_moment,
) -> None:
    """Work until cancelled, and say each time how many tasks came to an end.

    When nothing is left, ``settle`` finishes what that was for; now and then it also looks while
    there is something, for under steady uploads there always is.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            settled = loop.time()
            async for count in index():
                ended(count)
                if loop.time() > settled + SETTLE_SECONDS:
                    await settle()
                    settled = loop.time()
            await settle()
        except Exception:  # an outage now is no reason to stop for good
            logger.warning("work could not be done; trying again", exc_info=True)
        await wait()
