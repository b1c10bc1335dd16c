"""A loader of models that takes no time, and may fail."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from domain.entities.models import ModelState
from domain.errors import Misconfigured
from domain.runtime.loaded_models import LoadedModel, LoadedModels
from domain.use_cases.indexing import IndexImages
from tests.fakes.encoder import FakeEncoder
from tests.fakes.models import MemoryModels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from domain import UseCases
    from domain.entities.models import StoredModel

BACKFILLING, READY, ACTIVE, RETIRED = (
    ModelState.BACKFILLING,
    ModelState.READY,
    ModelState.ACTIVE,
    ModelState.RETIRED,
)


@dataclass(frozen=True)
class RecordingIndex(IndexImages):
    """Indexes nothing, and records how many images it may index at once."""

    recorded: dict[str, int] = field(default_factory=dict)

    async def __call__(self) -> AsyncGenerator[int]:
        self.recorded[self.encoder.model.name] = self.concurrency()
        return
        yield


@dataclass
class FakeModelLoader:
    """Loads the models of a library in memory, and records which."""

    use_cases: UseCases
    models: MemoryModels = field(default_factory=MemoryModels)
    loaded: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    warmed_up: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    """The models whose parameters of scans were read again."""
    finished: list[int] = field(default_factory=list)
    """The models whose backfills were to be finished, by id."""
    at_once: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    """Models that are refused."""
    oversized: set[str] = field(default_factory=set)
    """Models that do not fit into memory."""

    @asynccontextmanager
    async def load(self, model: StoredModel | None, _: LoadedModels) -> AsyncIterator[LoadedModel]:
        if model is None:
            [model] = [each for each in await self.models.list() if each.is_active]
        if model.name in self.damaged:
            raise Misconfigured(f"The folder {model.source} is empty.")
        if model.name in self.oversized:
            raise MemoryError
        encoder, name = FakeEncoder(name=model.name), model.name
        score = replace(self.use_cases.search.score, model=encoder.model)
        search = replace(self.use_cases.search, score=score)
        describe = replace(self.use_cases.describe, encoder=encoder)
        index = self.use_cases.index
        values = {each.name: getattr(index, each.name) for each in fields(index)}
        recording = RecordingIndex(**values | {"encoder": encoder, "recorded": self.at_once})
        use_cases = replace(self.use_cases, search=search, describe=describe, index=recording)

        async def check() -> None:
            pass

        async def warm_up() -> None:
            self.warmed_up.append(name)

        async def refresh_scans() -> None:
            self.refreshed.append(name)

        self.loaded.append(name)
        yield LoadedModel(model, encoder, use_cases, check, warm_up, refresh_scans)
        self.closed.append(name)

    def open(self, *, grace_seconds: float = 0) -> AbstractAsyncContextManager[LoadedModels]:
        return LoadedModels.open(self.models, self.finish, self.load, grace_seconds=grace_seconds)

    async def finish(self, model_id: int) -> None:
        self.finished.append(model_id)


def active_name(loaded_models: LoadedModels) -> str:
    return loaded_models.use_cases().describe.model.name


async def until_closed(loader: FakeModelLoader, name: str) -> None:
    async with asyncio.timeout(30):
        while name not in loader.closed:  # noqa: ASYNC110 - a background task closes it
            await asyncio.sleep(0)
