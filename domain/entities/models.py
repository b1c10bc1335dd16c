"""The models of a library: how far each has got with the images, and what it is good for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.entities.work import WorkCounts


class ModelState(StrEnum):
    """What a model's embeddings are good for. One model is ACTIVE: it answers."""

    BACKFILLING = "backfilling"
    READY = "ready"
    ACTIVE = "active"
    RETIRED = "retired"


LIVE = (ModelState.BACKFILLING, ModelState.READY, ModelState.ACTIVE)
"""States of the models that are to know every image."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model that answers, that may be promoted, or that is being filled."""

    id: int
    name: str
    dimensions: int
    state: ModelState
    source: str
    """Where it is loaded from: a folder, or a name on the hub."""

    @property
    def is_active(self) -> bool:
        """Whether it answers."""
        return self.state is ModelState.ACTIVE


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How far a model has got."""

    name: str
    dimensions: int
    state: ModelState
    source: str | None
    embedded: int
    """How many images it has embedded."""
    total: int
    """How many images it should have: those that are READY, where it is to know them."""
    work: WorkCounts
    errors: tuple[str, ...]
    """What was last in the way, the same thing once."""
    indexing: float | None
    """How much of the index is built, 0 to 1; None while nobody builds it."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of a library, and how many images it has embedded there."""

    name: str
    dimensions: int
    state: ModelState
    embedded_count: int
