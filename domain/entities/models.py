"""The models of a library: their states, and the progress of their embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from domain.entities.work import WorkCounts


class ModelState(StrEnum):
    """What the embeddings of a model are good for."""

    BACKFILLING = "backfilling"
    """Workers embed the images that the library had before the model was added."""
    READY = "ready"
    """The backfill is complete and the index is built: the model can be promoted."""
    ACTIVE = "active"
    """Searches use this model. At most one model is ACTIVE."""
    RETIRED = "retired"
    """The model was dropped, and its embeddings are deleted."""


LIVE_STATES = (ModelState.BACKFILLING, ModelState.READY, ModelState.ACTIVE)
"""States of the models that embed every image. New images become tasks of all of them."""

TRANSITIONS = {
    ModelState.RETIRED: (ModelState.BACKFILLING,),
    ModelState.BACKFILLING: (ModelState.READY, ModelState.RETIRED),
    ModelState.READY: (ModelState.ACTIVE, ModelState.RETIRED),
    ModelState.ACTIVE: (ModelState.READY,),
}
"""The state machine of a model: add, finish the backfill, promote, replace, drop.

The exception is a library without embeddings: a server that starts on it makes its model ACTIVE,
and retires the one before.
"""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that the library knows. A RETIRED one stays stored, and can be added again."""

    id: int
    name: str
    dimensions: int
    state: ModelState
    source: str
    """Where it is loaded from: a folder, or a name on the hub."""
    activated_at: datetime | None = None
    """When it last became ACTIVE; None if it has not been since it was added."""

    @property
    def is_active(self) -> bool:
        """Whether searches use it."""
        return self.state is ModelState.ACTIVE

    @property
    def is_live(self) -> bool:
        """Whether it embeds every image."""
        return self.state in LIVE_STATES

    def moved_to(self, state: ModelState) -> StoredModel:
        """Return it in another state. Raises ValueError if TRANSITIONS has no such step."""
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"{self.name} cannot change from {self.state} to {state}.")
        return replace(self, state=state)


MAX_UNINDEXED = 50_000
"""How many embeddings a first load stores before the index is built although the load goes on: so
many are compared in some 30 ms, and a search among more should not wait until the load ends."""


@dataclass(frozen=True, slots=True)
class MissingEmbeddings:
    """How many READY images a model has not embedded."""

    waiting: int
    """Images whose tasks are in the queue or on lease."""
    failed: int
    """Images whose tasks are dead letters."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The progress of a model."""

    name: str
    dimensions: int
    state: ModelState
    source: str | None
    embedded: int
    """How many images it has embedded."""
    library_size: int
    """How many images of the library are READY."""
    work: WorkCounts
    errors: tuple[str, ...]
    """The most frequent errors of its tasks, each once."""
    indexing: float | None
    """The share of the index that is built, 0 to 1; None while no process builds it."""

    @property
    def is_index_due(self) -> bool:
        """Whether its index, if that is missing, is to be built now.

        The end of a backfill builds the index of a BACKFILLING model.
        """
        if self.state not in {ModelState.READY, ModelState.ACTIVE} or not self.embedded:
            return False
        is_loading = self.work.waiting + self.work.leased > 0
        return not is_loading or self.embedded >= MAX_UNINDEXED

    @property
    def total(self) -> int:
        """How many images it has to embed: every READY one if it is live, else none."""
        return self.library_size if self.state in LIVE_STATES else 0


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of a library, and the number of images that it has embedded."""

    name: str
    dimensions: int
    state: ModelState
    embedded_count: int
