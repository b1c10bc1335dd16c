"""The models that are loaded, each with all that can be done by it, and the one that answers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.models import ModelState
from domain.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from domain import UseCases
    from domain.entities.models import LiveModel
    from domain.ports import Encoder, Models
    from domain.use_cases.search.search_images import SearchImages

LOOK_SECONDS = 1.0
"""How often it is looked whether the models have changed, where nobody says so."""

AGAIN_SECONDS = 60.0
"""After how long a model is tried again that could not be loaded."""

logger = logging.getLogger(__name__)


async def a_while() -> None:
    """Wait until it is time to look again."""
    await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of the library that is loaded, and all that can be done by it."""

    model: LiveModel
    encoder: Encoder
    use_cases: UseCases
    check: Callable[[], Awaitable[None]]
    """Raises while the model does not answer."""
    prepare: Callable[[], Coroutine[None, None, None]]
    """Does ahead what the first search would have to wait for."""


Open: TypeAlias = (
    "Callable[[LiveModel | None, LoadedModels], AbstractAsyncContextManager[LoadedModel]]"
)


@dataclass(slots=True)
class _Loaded:
    edition: LoadedModel
    stack: AsyncExitStack
    model: LiveModel
    """As the library last said."""


@dataclass(slots=True)
class _Failed:
    state: ModelState
    until: float


@dataclass(slots=True)
class LoadedModels:
    """Loads the live models as they appear, and lets go of those that are dropped.

    ``current`` is what answers from now on; whoever asks it once a request never mixes two models.
    A promoted model that cannot be loaded is logged, and the one before goes on: it is kept filled.
    """

    models: Models
    open: Open
    """Loads a model; None is the one that the library says answers."""
    grace: float
    """How many seconds a request may take: so long a dropped model stays for those that run."""
    _loaded: dict[int, _Loaded] = field(default_factory=dict)
    _failed: dict[int, _Failed] = field(default_factory=dict)
    _current: int = 0
    _beside: set[asyncio.Task[None]] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def of(cls, models: Models, open_: Open, *, grace: float) -> AsyncIterator[LoadedModels]:
        """Load the model that answers, and let go of all at the end. Raises Misconfigured."""
        editions = cls(models, open_, grace)
        try:
            editions._current = (await editions._enter(None)).model.id
            yield editions
        finally:
            for task in editions._beside:
                task.cancel()
            await asyncio.gather(*editions._beside, return_exceptions=True)
            for loaded in editions._loaded.values():
                await loaded.stack.aclose()
            editions._loaded.clear()

    def current(self) -> UseCases:
        """Return what can be done at this moment."""
        return self.answering().use_cases

    def answering(self) -> LoadedModel:
        """Return the edition that answers at this moment."""
        return self._loaded[self._current].edition

    def kept(self) -> tuple[LoadedModel, ...]:
        """Return the loaded editions of live models: the one that answers first."""
        return tuple(
            each.edition
            for _, each in sorted(self._loaded.items(), key=lambda item: item[0] != self._current)
        )

    def prepared(self) -> tuple[UseCases, ...]:
        """Return what is worth looking after: what answers, then what may be promoted."""
        return tuple(
            self._loaded[edition.model.id].edition.use_cases
            for edition in self.kept()
            if edition.model.id == self._current
            or self._loaded[edition.model.id].model.state is not ModelState.BACKFILLING
        )

    def search_of(self, name: str) -> SearchImages | None:
        """Return what searches by the model of this name, if it is loaded."""
        for loaded in self._loaded.values():
            if loaded.edition.model.name == name:
                return loaded.edition.use_cases.search
        return None

    async def settle(self, model_id: int) -> None:
        """Finish a model that is being filled, if nothing is left to do for it."""
        loaded = self._loaded.get(model_id)
        if loaded and loaded.model.state is ModelState.BACKFILLING:
            await self.models.finish_backfill(model_id)

    async def load(self, model: LiveModel) -> LoadedModel:
        """Return the edition of a model, loaded if it is not. Raises Misconfigured."""
        if model.id in self._loaded:
            return self._loaded[model.id].edition
        return await self._enter(model)

    async def follow(self, change: Callable[[], Awaitable[object]] = a_while) -> None:
        """Keep up with the library for ever; ``change`` returns when it may have changed."""
        self._aside(self.answering().prepare())
        while True:
            try:
                await self.refresh()
            except Exception:  # an outage now is no reason to stop for good
                logger.warning("the models could not be looked at; trying again", exc_info=True)
            await change()

    async def refresh(self) -> None:
        """Look once: load what is new, answer by what is active, let go of what was dropped."""
        async with self._turn:
            live = await self.models.live()
            # What is to answer first: others wait for nothing.
            for model in sorted(live, key=lambda model: not model.is_active):
                await self._meet(model)
            ids = {model.id for model in live}
            for id_ in [id_ for id_ in self._loaded if id_ not in ids and id_ != self._current]:
                loaded = self._loaded.pop(id_)
                logger.info("%s was dropped", loaded.model.name)
                self._aside(self._let_go(loaded))
            self._failed = {id_: each for id_, each in self._failed.items() if id_ in ids}

    async def _enter(self, model: LiveModel | None) -> LoadedModel:
        async with AsyncExitStack() as stack:
            edition = await stack.enter_async_context(self.open(model, self))
            self._loaded[edition.model.id] = _Loaded(edition, stack.pop_all(), edition.model)
            return edition

    async def _meet(self, model: LiveModel) -> None:
        if model.id not in self._loaded and not await self._try(model):
            return
        loaded = self._loaded[model.id]
        loaded.model = model
        if model.is_active and model.id != self._current:
            logger.info("%s answers from now on", model.name)
            self._current = model.id

    async def _try(self, model: LiveModel) -> bool:
        """Load a model, or say why that cannot be: at once, and then now and again."""
        now = asyncio.get_running_loop().time()
        failed = self._failed.get(model.id)
        if failed and failed.state is model.state and now < failed.until:
            return False
        try:
            edition = await self.load(model)
        except Refusal as refusal:
            self._failed[model.id] = _Failed(model.state, now + AGAIN_SECONDS)
            goes_on = f"; {self.answering().model.name} goes on answering" * model.is_active
            logger.error(  # noqa: TRY400 - a refusal says all there is to say
                "%s cannot be loaded%s: %s", model.name, goes_on, refusal.message
            )
            return False
        except Exception:
            # Out of memory, say: to begin again each second would make that worse.
            self._failed[model.id] = _Failed(model.state, now + AGAIN_SECONDS)
            logger.exception("%s cannot be loaded", model.name)
            return False
        self._failed.pop(model.id, None)
        logger.info("%s is loaded", model.name)
        self._aside(edition.prepare())
        return True

    async def _let_go(self, loaded: _Loaded) -> None:
        try:
            await asyncio.sleep(self.grace)
        finally:
            await loaded.stack.aclose()

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("what was done beside the server failed", exc_info=error)
