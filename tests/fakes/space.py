"""An embedding space with margins from plain cosines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, QueryPart
    from domain.ports import VectorIndex

LOGIT_SCALE = 100.0
COSINE_OFFSET = 0.8


class FakeEmbeddingSpace:
    """Margins are ``100 * (cosine - 0.8)``: 18 and more for a match of FakeEncoder's embeddings."""

    def __init__(self, vectors: VectorIndex) -> None:
        self._vectors = vectors
        self.judged = 0
        """How many images had margins computed, in all calls together."""

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        here = await self._vectors.embeddings(ids)
        self.judged += len(here)
        return {
            id_: [
                LOGIT_SCALE * (float(np.dot(part.embedding, each)) - COSINE_OFFSET)
                for part in parts
            ]
            for id_, each in here.items()
        }

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        point = np.sum(
            [part.weight * np.array(part.embedding) for part in parts if part.weight > 0], axis=0
        )
        for part in parts:
            if part.weight < 0:
                unwanted = np.array(part.embedding)
                point = point + part.weight * max(0.0, float(point @ unwanted)) * unwanted
        return tuple((point / np.linalg.norm(point)).tolist())
