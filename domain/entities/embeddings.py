"""Embeddings of texts and pictures, queries made of them, and ranked hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.relevance import CLIP, Calibration

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image

Embedding: TypeAlias = Sequence[float]
"""A vector of length 1 with ``EmbeddingModel.dimensions`` entries."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A dual encoder: embeds texts and pictures in one space.

    Embeddings of different models cannot be compared.
    """

    name: str
    dimensions: int
    logit_scale: float = 100.0
    """The factor of cosines before a softmax: the inverse of the temperature. Training learns it;
    CLIP's reached its upper bound of 100 (Radford et al., 2021, section 2.5)."""
    calibration: Calibration = CLIP


class QueryKind(StrEnum):
    """What a query was made from.

    Texts are embedded apart from pictures, so an approximate index has to scan more for them.
    """

    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class QueryPart:
    """A term of a blend: an embedding and its weight, which is negative for unlike terms."""

    embedding: Embedding
    kind: QueryKind
    weight: float = 1.0
    sha256: str | None = field(default=None, compare=False)
    """Of the bytes of an example picture."""


@dataclass(frozen=True, slots=True)
class Query:
    """The embedding to search by, and the parts that it was blended from, if any."""

    embedding: Embedding
    kind: QueryKind
    blended: tuple[QueryPart, ...] = ()
    sha256: str | None = field(default=None, compare=False)
    """Of the bytes of an example picture. It is not kept with a search."""

    @property
    def parts(self) -> tuple[QueryPart, ...]:
        """The parts of a blend, or the query itself as the only part."""
        return self.blended or (QueryPart(self.embedding, self.kind),)


@dataclass(frozen=True, slots=True)
class Hit:
    """An image in a search result, with its cosine similarity to the query, -1 to 1."""

    image_id: UUID
    score: float
    relevance: float | None = None
    """The calibrated relevance, 0 to 1; None until it is computed."""
    collapsed_count: int = 1
    """The number of images in this hit: the image, and the duplicates collapsed into it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits by falling score, ties by id. ``exact`` means that every candidate was compared."""

    hits: tuple[Hit, ...]
    exact: bool
    images: Mapping[UUID, Image] = field(default_factory=dict)
    """The images of the best hits, as many as were asked for."""
