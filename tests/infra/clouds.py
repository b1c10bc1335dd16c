"""Points of a space of few dimensions, and a library of pictures in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from domain.entities.embeddings import EmbeddingModel, QueryKind, QueryPart
from infra.clip.embedding_space import NumpyEmbeddingSpace
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from infra.clip.embedding_space import Array

TEXT, IMAGE = QueryKind.TEXT, QueryKind.IMAGE
SCALE, DIMENSIONS = 100.0, 24


def cloud(number: int, *, seed: int, away: float = 2.0, axis: int = 0) -> Array:
    """Return points of length 1 that have an axis in common, as texts have, and pictures another.

    (number, dimensions).
    """
    points = np.random.default_rng(seed).normal(size=(number, DIMENSIONS)) / 2
    points[:, axis] += away
    return np.array(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


BANK, PICTURES = cloud(60, seed=1), cloud(40, seed=2, axis=1)
TEXTS, EXAMPLES = cloud(12, seed=3), cloud(12, seed=4, axis=1)


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(one, other, strict=True))


def part(embedding: Array, kind: QueryKind, weight: float = 1.0) -> QueryPart:
    return QueryPart(embedding.tolist(), kind, weight)


class SampledCatalog(MemoryCatalog):
    """Counts how often it was asked for a sample, and of what size."""

    def __init__(self) -> None:
        super().__init__()
        self.sampled: list[int] = []

    async def sample(self, size: int) -> Sequence[Embedding]:
        self.sampled.append(size)
        return await super().sample(size)


class Library:
    """A space over pictures and a bank that is counted."""

    def __init__(self, bank: Array = BANK) -> None:
        self.bank = bank
        self.fetched = 0
        self.catalog = SampledCatalog()
        self.space = NumpyEmbeddingSpace(
            self.catalog, self.fetch, model=EmbeddingModel("cloud", DIMENSIONS, SCALE)
        )

    async def fetch(self) -> Array:
        self.fetched += 1
        return self.bank

    async def add(self, pictures: Array) -> list[UUID]:
        images = [await self.catalog.add(image_with(), each.tolist()) for each in pictures]
        return [image.id for image in images]
