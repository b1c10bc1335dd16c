"""The models of a library that this process has loaded, each with its use cases."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.models import ModelState
from domain.errors import Refusal, Unavailable
from domain.failure_log import FailureLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from domain import UseCases
    from domain.entities.models import StoredModel
    from domain.ports import Encoder, Models
    from domain.use_cases.search.search_images import SearchImages

REFRESH_SECONDS = 1.0
"""How often the models of the library are read again, where no event tells that they changed."""

LOAD_RETRY_SECONDS = 60.0
"""How long after a failure a model is loaded again."""

logger = logging.getLogger(__name__)


async def wait_for_refresh() -> None:
    """Wait until the next refresh is due."""
    await asyncio.sleep(REFRESH_SECONDS)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the use cases that run on it."""

    model: StoredModel
    """As it was stored when it was loaded."""
    encoder: Encoder
    use_cases: UseCases
    check: Callable[[], Awaitable[None]]
    """The health check of the encoder. Raises while it does not respond."""
    warm_up: Callable[[], Coroutine[None, None, None]]
    """Computes ahead what the first search would have to wait for."""
    refresh_scans: Callable[[], Coroutine[None, None, None]]
    """Reads the parameters of index scans again, which may have been tuned."""


ModelLoader: TypeAlias = (
    "Callable[[StoredModel | None, LoadedModels], AbstractAsyncContextManager[LoadedModel]]"
)
"""Loads a model for the length of a block; None is the ACTIVE model of the library."""


@dataclass(slots=True)
class _Entry:
    loaded: LoadedModel
    stack: AsyncExitStack
    stored: StoredModel
    """As of the last refresh."""


@dataclass(slots=True)
class _FailedLoad:
    state: ModelState
    retry_at: float
    """In seconds of the event loop's clock."""


@dataclass(slots=True)
class LoadedModels:
    """Loads the live models of the library as they appear, and unloads those that are dropped.

    A request reads ``use_cases`` once, so that it never mixes two models. If a promoted model
    cannot be loaded, the failure is logged and the model before stays in use.
    """

    models: Models
    finish: Callable[[int], Awaitable[object]]
    """Finishes the backfill of a model by its id, if it is complete."""
    loader: ModelLoader
    grace_seconds: float
    """How long a dropped model stays loaded for running requests."""
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _failed_loads: dict[int, _FailedLoad] = field(default_factory=dict)
    _active_id: int = 0
    _background_tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _refresh_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        models: Models,
        finish: Callable[[int], Awaitable[object]],
        loader: ModelLoader,
        *,
        grace_seconds: float,
    ) -> AsyncIterator[LoadedModels]:
        """Load the ACTIVE model, and unload all models at the end. Raises Misconfigured."""
        loaded_models = cls(models, finish, loader, grace_seconds)
        try:
            loaded_models._active_id = (await loaded_models._load(None)).model.id
            yield loaded_models
        finally:
            for task in loaded_models._background_tasks:
                task.cancel()
            await asyncio.gather(*loaded_models._background_tasks, return_exceptions=True)
            for entry in loaded_models._entries.values():
                await entry.stack.aclose()
            loaded_models._entries.clear()

    def active(self) -> LoadedModel:
        """Return the model in use: the ACTIVE one, or the one before until that is loaded."""
        return self._entries[self._active_id].loaded

    def use_cases(self) -> UseCases:
        """Return the use cases of the model in use."""
        return self.active().use_cases

    def live(self) -> tuple[LoadedModel, ...]:
        """Return the loaded live models, the one in use first."""
        return tuple(entry.loaded for entry in self._active_first())

    def ready_use_cases(self) -> tuple[UseCases, ...]:
        """Return the use cases of the model in use, then those of models that can be promoted."""
        return tuple(
            entry.loaded.use_cases
            for entry in self._active_first()
            if entry.loaded.model.id == self._active_id
            or entry.stored.state is not ModelState.BACKFILLING
        )

    def search_of(self, name: str) -> SearchImages | None:
        """Return the search of the loaded model with this name, or None."""
        for entry in self._entries.values():
            if entry.loaded.model.name == name:
                return entry.loaded.use_cases.search
        return None

    async def finish_backfill(self, model_id: int) -> None:
        """Finish the backfill of a loaded BACKFILLING model, if it is complete."""
        entry = self._entries.get(model_id)
        if entry and entry.stored.state is ModelState.BACKFILLING:
            await self.finish(model_id)

    async def load(self, model: StoredModel) -> LoadedModel:
        """Return a model, and load it first if necessary. Raises Misconfigured."""
        if model.id in self._entries:
            return self._entries[model.id].loaded
        return await self._load(model)

    async def keep_refreshing(
        self, wait: Callable[[], Awaitable[object]] = wait_for_refresh
    ) -> None:
        """Refresh until cancelled. ``wait`` returns when the models may have changed."""
        self._run_in_background(self.active().warm_up())
        failures = FailureLog("the models could not be read")
        while True:
            with failures.run():
                await self.refresh()
            await wait()

    async def refresh(self) -> None:
        """Load new models, switch to the ACTIVE model, and unload the dropped ones."""
        async with self._refresh_lock:
            live = [model for model in await self.models.list() if model.is_live]
            # The ACTIVE model first: searches wait for it, and for no other.
            for model in sorted(live, key=lambda model: not model.is_active):
                await self._refresh_model(model)
            ids = {model.id for model in live}
            for id_ in [id_ for id_ in self._entries if id_ not in ids and id_ != self._active_id]:
                entry = self._entries.pop(id_)
                logger.info("%s was dropped", entry.stored.name)
                self._run_in_background(self._close_after_grace(entry))
            self._failed_loads = {
                id_: each for id_, each in self._failed_loads.items() if id_ in ids
            }

    def _active_first(self) -> list[_Entry]:
        return sorted(
            self._entries.values(), key=lambda entry: entry.loaded.model.id != self._active_id
        )

    async def _load(self, model: StoredModel | None) -> LoadedModel:
        async with AsyncExitStack() as stack:
            loaded = await stack.enter_async_context(self.loader(model, self))
            self._entries[loaded.model.id] = _Entry(loaded, stack.pop_all(), loaded.model)
            return loaded

    async def _refresh_model(self, model: StoredModel) -> None:
        if model.id not in self._entries and not await self._try_load(model):
            return
        self._entries[model.id].stored = model
        if model.is_active and model.id != self._active_id:
            logger.info("%s is active from now on", model.name)
            self._active_id = model.id

    async def _try_load(self, model: StoredModel) -> bool:
        """Load a model, or log why not. A failure is retried later, or when its state changes."""
        now = asyncio.get_running_loop().time()
        failed = self._failed_loads.get(model.id)
        if failed and failed.state is model.state and now < failed.retry_at:
            return False
        try:
            loaded = await self.load(model)
        except (Refusal, Unavailable) as reason:
            self._failed_loads[model.id] = _FailedLoad(model.state, now + LOAD_RETRY_SECONDS)
            in_use = f"; {self.active().model.name} goes on answering" * model.is_active
            logger.error(  # noqa: TRY400 - it says all there is to say
                "%s cannot be loaded%s: %s", model.name, in_use, reason
            )
            return False
        except Exception:
            # It may be out of memory, which a retry each second would make worse.
            self._failed_loads[model.id] = _FailedLoad(model.state, now + LOAD_RETRY_SECONDS)
            logger.exception("%s cannot be loaded", model.name)
            return False
        self._failed_loads.pop(model.id, None)
        logger.info("%s is loaded", model.name)
        self._run_in_background(loaded.warm_up())
        return True

    async def _close_after_grace(self, entry: _Entry) -> None:
        try:
            await asyncio.sleep(self.grace_seconds)
        finally:
            await entry.stack.aclose()

    def _run_in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._discard_background_task)

    def _discard_background_task(self, task: asyncio.Task[None]) -> None:
        self._background_tasks.discard(task)
        if task.cancelled() or not (error := task.exception()):
            return
        if isinstance(error, Unavailable):
            logger.warning("a background task of a model failed: %s", error.with_cause)
        else:
            logger.warning("a background task of a model failed", exc_info=error)
