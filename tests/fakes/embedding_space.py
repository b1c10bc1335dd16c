"""Arithmetic over embeddings of few dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, QueryPart
    from domain.ports import VectorIndex

STEEPNESS = 100.0


class FakeEmbeddingSpace:
    """A margin is ``100 * (cosine - 0.8)``: 18 and above for what is alike, otherwise far below."""

    def __init__(self, vectors: VectorIndex) -> None:
        self._vectors = vectors
        self.judged = 0
        """The number of images whose margins were computed."""

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        embeddings = await self._vectors.embeddings(ids)
        self.judged += len(embeddings)
        return {
            id_: [STEEPNESS * (float(np.dot(part.embedding, each)) - 0.8) for part in parts]
            for id_, each in embeddings.items()
        }

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        point = np.sum(
            [part.weight * np.array(part.embedding) for part in parts if part.weight > 0], axis=0
        )
        for part in parts:
            if part.weight < 0:
                away = np.array(part.embedding)
                point = point + part.weight * max(0.0, float(point @ away)) * away
        return tuple((point / np.linalg.norm(point)).tolist())
