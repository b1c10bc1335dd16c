"""Embeddings: what a model makes of a text or a picture, and how near two of them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.relevance import CLIP, Calibration

if TYPE_CHECKING:
    from uuid import UUID

Embedding: TypeAlias = Sequence[float]
"""A vector of length 1 with ``EmbeddingModel.dimensions`` entries."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A dual encoder: it puts texts and pictures into one space.

    Embeddings of different models cannot be compared.
    """

    name: str
    dimensions: int
    logit_scale: float = 100.0
    """What cosines are multiplied by before a softmax, the inverse of the temperature. Training
    finds it, and CLIP's own ends at its bound of 100 (Radford et al., 2021, section 2.5)."""
    calibration: Calibration = CLIP


class QueryKind(StrEnum):
    """What a query was made from.

    Texts lie in another part of the space than pictures, so an approximate index has to walk
    further for them.
    """

    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class QueryPart:
    """A part of a blend: an embedding, and how much it counts, below 0 where it is not wanted."""

    embedding: Embedding
    kind: QueryKind
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """A point to look around, and the parts that it was blended from, if it was."""

    embedding: Embedding
    kind: QueryKind
    blended: tuple[QueryPart, ...] = ()

    @property
    def parts(self) -> tuple[QueryPart, ...]:
        """What the query is made of: at least itself."""
        return self.blended or (QueryPart(self.embedding, self.kind),)


@dataclass(frozen=True, slots=True)
class Hit:
    """An image that was found, and its cosine similarity to the query, -1 to 1."""

    image_id: UUID
    score: float
    relevance: float | None = None
    """How well the image answers, 0 to 1; None until somebody asks."""
    stands_for: int = 1
    """How many images: itself, and its duplicates that are not shown."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits by falling score, then by id; ``exact`` when every candidate was compared."""

    hits: tuple[Hit, ...]
    exact: bool
