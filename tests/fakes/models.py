"""The models of a library in memory, with the images and tasks that decide what may change."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID, uuid4

from domain import build_model_use_cases
from domain.entities.models import (
    KnownModel,
    MissingEmbeddings,
    ModelState,
    ModelStatus,
    StoredModel,
)
from domain.entities.work import WorkCounts
from domain.use_cases.models.drop import DropModel
from tests.fakes.clock import SettableClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from domain import ModelUseCases
    from domain.entities.embeddings import EmbeddingModel
    from domain.ports import Backfill, ModelTransaction

T = TypeVar("T")


@dataclass
class MemoryModels:
    """Models by id, the READY images of their library, and the tasks on these."""

    clock: SettableClock = field(default_factory=SettableClock)
    stored: dict[int, StoredModel] = field(default_factory=dict)
    embedded: dict[int, set[UUID]] = field(default_factory=dict)
    """Embedded images by model."""
    tasks: dict[tuple[int, UUID], str | None] = field(default_factory=dict)
    """By model and image; with the reason where the task is a dead letter."""
    ready_at: dict[UUID, datetime] = field(default_factory=dict)
    indexed: list[int] = field(default_factory=list)
    """Models with an index, by id, in the order they were built in."""
    lost_connection: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _backfills: set[int] = field(default_factory=set)

    def set_states(self, **states: ModelState) -> None:
        """Set the states of models by name, and add those that are new."""
        for name, state in states.items():
            model = self.find(name)
            if model is None:
                id_ = len(self.stored) + 1
                model = StoredModel(id_, name, 16, state, f"/models/{name}")
            self.stored[model.id] = replace(model, state=state)

    def find(self, name: str) -> StoredModel | None:
        return next((model for model in self.stored.values() if model.name == name), None)

    async def list(self) -> Sequence[StoredModel]:
        if self.lost_connection:
            raise ConnectionError
        return [self.stored[id_] for id_ in sorted(self.stored)]

    async def unindexed(self) -> Sequence[StoredModel]:
        return [
            model for model in await self.list() if model.is_live and model.id not in self.indexed
        ]

    async def known(self) -> Sequence[KnownModel]:
        return [
            KnownModel(model.name, model.dimensions, model.state, len(self.embedded_by(model.id)))
            for model in await self.list()
        ]

    async def statuses(self) -> Sequence[ModelStatus]:
        return [
            ModelStatus(
                name=model.name,
                dimensions=model.dimensions,
                state=model.state,
                source=model.source,
                embedded=len(self.embedded_by(model.id)),
                library_size=len(self.ready_at),
                work=self._work_of(model.id),
                errors=tuple(
                    dict.fromkeys(
                        error for (id_, _), error in self.tasks.items() if id_ == model.id and error
                    )
                ),
                indexing=None,
            )
            for model in await self.list()
        ]

    async def run(self, change: Callable[[ModelTransaction], Awaitable[T]]) -> T:
        async with self._lock:
            before = dict(self.stored), {id_: set(ids) for id_, ids in self.embedded.items()}
            before_tasks, before_indexed = dict(self.tasks), [*self.indexed]
            try:
                return await change(MemoryTransaction(self))
            except BaseException:
                self.stored, self.embedded = before
                self.tasks, self.indexed = before_tasks, before_indexed
                raise

    def backfill(self, model_id: int) -> AbstractAsyncContextManager[Backfill | None]:
        return self._backfill(model_id)

    @asynccontextmanager
    async def _backfill(self, model_id: int) -> AsyncIterator[MemoryBackfill | None]:
        if model_id in self._backfills:
            yield None
            return
        self._backfills.add(model_id)
        try:
            yield MemoryBackfill(self, model_id)
        finally:
            self._backfills.remove(model_id)

    async def enqueue_missing(self, model_id: int) -> None:
        for image_id in self.unembedded_by(model_id):
            self.tasks.setdefault((model_id, image_id), None)

    async def delete_derived(self, model_id: int) -> None:
        pass

    def embedded_by(self, model_id: int) -> set[UUID]:
        return self.embedded.get(model_id, set()) & self.ready_at.keys()

    def unembedded_by(self, model_id: int) -> set[UUID]:
        return self.ready_at.keys() - self.embedded_by(model_id)

    def _work_of(self, model_id: int) -> WorkCounts:
        errors = [error for (id_, _), error in self.tasks.items() if id_ == model_id]
        return WorkCounts(errors.count(None), 0, len(errors) - errors.count(None))


@dataclass
class MemoryModelLibrary(MemoryModels):
    """A library in memory whose models change, and the use cases that change them."""

    @property
    def models(self) -> MemoryModels:
        return self

    @property
    def changes(self) -> MemoryModels:
        return self

    @cached_property
    def use_cases(self) -> ModelUseCases:
        use_cases = build_model_use_cases(self, self, self.clock)
        return replace(use_cases, drop=DropModel(self, notice_seconds=0))

    async def states(self) -> dict[str, str]:
        return {each.name: each.state.value for each in await self.list()}

    async def upload(self) -> UUID:
        """Add a READY image that the ACTIVE model has embedded; other live models get a task."""
        image_id = uuid4()
        self._make_ready(image_id, next(each.id for each in self.stored.values() if each.is_active))
        return image_id

    async def expect_upload(self) -> UUID:
        """Add a PROCESSING image, which is a task of the ACTIVE model alone."""
        image_id = uuid4()
        [active] = [each for each in self.stored.values() if each.is_active]
        self.tasks[active.id, image_id] = None
        return image_id

    async def work(self, model: StoredModel) -> None:
        """Finish all tasks of a model, as a worker would."""
        for (model_id, image_id), error in [*self.tasks.items()]:
            if model_id == model.id and error is None:
                del self.tasks[model_id, image_id]
                self._make_ready(image_id, model_id)

    async def fail_tasks(self, model: StoredModel, reason: str) -> None:
        """Make all tasks of a model dead letters."""
        for model_id, image_id in self.tasks:
            if model_id == model.id:
                self.tasks[model_id, image_id] = reason

    async def lose_tasks(self) -> None:
        self.tasks.clear()

    async def pass_time(self) -> None:
        """Let a minute pass, in which workers would have finished their tasks."""
        self.clock.pass_time(timedelta(minutes=1))

    def _make_ready(self, image_id: UUID, model_id: int) -> None:
        if image_id not in self.ready_at:
            self.ready_at[image_id] = self.clock.now
            for other in self.stored.values():
                if other.is_live and other.id != model_id:
                    self.tasks[other.id, image_id] = None
        self.embedded.setdefault(model_id, set()).add(image_id)


@dataclass
class MemoryTransaction:
    """A change of models in memory."""

    models: MemoryModels

    async def list(self) -> Sequence[StoredModel]:
        return await self.models.list()

    async def register(self, model: EmbeddingModel, source: str) -> StoredModel:
        stored = self.models.find(model.name)
        if stored is None or stored.dimensions != model.dimensions:
            id_ = len(self.models.stored) + 1
            stored = StoredModel(id_, model.name, model.dimensions, ModelState.RETIRED, source)
        self.models.stored[stored.id] = replace(stored, source=source)
        return self.models.stored[stored.id]

    async def save(self, model: StoredModel) -> None:
        others = [each for each in self.models.stored.values() if each.id != model.id]
        assert not (model.is_active and any(each.is_active for each in others))
        self.models.stored[model.id] = replace(
            self.models.stored[model.id], state=model.state, activated_at=model.activated_at
        )

    async def missing(self, model_id: int, *, ready_for: timedelta) -> MissingEmbeddings:
        unembedded = self.models.unembedded_by(model_id)
        failed = {id_ for id_ in unembedded if self.models.tasks.get((model_id, id_))}
        before = self.models.clock.now - ready_for
        waiting = {id_ for id_ in unembedded - failed if self.models.ready_at[id_] < before}
        return MissingEmbeddings(len(waiting), len(failed))

    async def enqueue_missing(self, model_id: int) -> None:
        await self.models.enqueue_missing(model_id)

    async def reassign(self, old_id: int, new_id: int) -> None:
        for (model_id, image_id), error in list(self.models.tasks.items()):
            if model_id == old_id:
                del self.models.tasks[model_id, image_id]
                if image_id not in self.models.ready_at:
                    self.models.tasks.setdefault((new_id, image_id), error)

    async def has_embeddings(self, model_id: int) -> bool:
        return bool(self.models.embedded_by(model_id))

    async def create_embeddings(self, model: StoredModel, *, with_index: bool = False) -> None:
        self.models.embedded.setdefault(model.id, set())
        self.models.indexed = [id_ for id_ in self.models.indexed if id_ != model.id]
        if with_index:
            self.models.indexed.append(model.id)

    async def delete_embeddings(self, model: StoredModel) -> None:
        self.models.embedded.pop(model.id, None)
        self.models.indexed = [id_ for id_ in self.models.indexed if id_ != model.id]


@dataclass
class MemoryBackfill:
    """The end of a backfill in memory."""

    models: MemoryModels
    model_id: int

    async def has_waiting(self, *, ready_for: timedelta) -> bool:
        before = self.models.clock.now - ready_for
        return any(
            model_id == self.model_id
            and error is None
            and image_id in self.models.ready_at
            and self.models.ready_at[image_id] <= before
            for (model_id, image_id), error in self.models.tasks.items()
        )

    async def enqueue_missing(self) -> None:
        await self.models.enqueue_missing(self.model_id)

    async def build_index(self) -> None:
        if self.model_id not in self.models.indexed:
            self.models.indexed.append(self.model_id)
