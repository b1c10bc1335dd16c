"""Random embeddings of few dimensions, and an embedding space over them that counts its reads."""

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
LOGIT_SCALE, DIMENSIONS = 100.0, 24


def random_embeddings(count: int, *, seed: int, offset: float = 2.0, axis: int = 0) -> Array:
    """Return embeddings of length 1 around one axis: (count, dimensions).

    Dual encoders put texts around one direction and pictures around another.
    """
    points = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)) / 2
    points[:, axis] += offset
    return np.array(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


BANK, PICTURES = random_embeddings(60, seed=1), random_embeddings(40, seed=2, axis=1)
TEXTS, EXAMPLES = random_embeddings(12, seed=3), random_embeddings(12, seed=4, axis=1)


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(one, other, strict=True))


def part(embedding: Array, kind: QueryKind, weight: float = 1.0) -> QueryPart:
    return QueryPart(embedding.tolist(), kind, weight)


class SampleRecordingCatalog(MemoryCatalog):
    """Records the sizes of the samples that were requested."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_sizes: list[int] = []

    async def sample(self, size: int) -> Sequence[Embedding]:
        self.sample_sizes.append(size)
        return await super().sample(size)


class CountingLibrary:
    """An embedding space over pictures and a concept bank; counts the reads of both."""

    def __init__(self, bank: Array = BANK) -> None:
        self.bank = bank
        self.bank_reads = 0
        self.catalog = SampleRecordingCatalog()
        self.space = NumpyEmbeddingSpace(
            self.catalog, self.read_bank, model=EmbeddingModel("random", DIMENSIONS, LOGIT_SCALE)
        )

    async def read_bank(self) -> Array:
        self.bank_reads += 1
        return self.bank

    async def add(self, pictures: Array) -> list[UUID]:
        images = [await self.catalog.add(image_with(), each.tolist()) for each in pictures]
        return [image.id for image in images]
