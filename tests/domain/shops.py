"""Models that are loaded without being there, and what is told of them."""

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

    from domain import UseCases
    from domain.entities.models import LiveModel

BACKFILLING, READY, ACTIVE, RETIRED = (
    ModelState.BACKFILLING,
    ModelState.READY,
    ModelState.ACTIVE,
    ModelState.RETIRED,
)


@dataclass(frozen=True)
class Watched(IndexImages):
    """Work that says how much of it may go on at once."""

    noted: dict[str, int] = field(default_factory=dict)

    async def __call__(self) -> AsyncGenerator[int]:
        self.noted[self.encoder.model.name] = self.at_once()
        return
        yield


@dataclass
class Shop:
    """Where models are loaded, and what was."""

    use_cases: UseCases
    models: MemoryModels = field(default_factory=MemoryModels)
    loaded: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    at_once: dict[str, int] = field(default_factory=dict)
    oversized: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def open(self, model: LiveModel | None, _: LoadedModels) -> AsyncIterator[LoadedModel]:
        if model is None:
            [model] = [each for each in self.models.known.values() if each.is_active]
        if model.name in self.damaged:
            raise Misconfigured(f"The folder {model.source} is empty.")
        if model.name in self.oversized:
            raise MemoryError
        encoder, name = FakeEncoder(name=model.name), model.name
        judge = replace(self.use_cases.search.score, model=encoder.model)
        search = replace(self.use_cases.search, score=judge)
        describe = replace(self.use_cases.describe, encoder=encoder)
        index = self.use_cases.index
        facts = {each.name: getattr(index, each.name) for each in fields(index)}
        watched = Watched(**facts | {"encoder": encoder, "noted": self.at_once})
        use_cases = replace(self.use_cases, search=search, describe=describe, index=watched)

        async def check() -> None:
            pass

        async def prepare() -> None:
            self.prepared.append(name)

        self.loaded.append(name)
        yield LoadedModel(model, encoder, use_cases, check, prepare)
        self.closed.append(name)

    def editions(self, *, grace: float = 0) -> LoadedModels:
        return LoadedModels(self.models, self.open, grace)


def answering(editions: LoadedModels) -> str:
    return editions.current().describe.model.name


async def until_closed(shop: Shop, name: str) -> None:
    async with asyncio.timeout(30):
        while name not in shop.closed:  # noqa: ASYNC110 - it is let go beside
            await asyncio.sleep(0)
