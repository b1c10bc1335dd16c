"""A space of few dimensions: everything is compared with the mean of the library."""

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
    """Margins are cosines less 0.8, a hundredfold: alike at 18 and above, else far below."""

    def __init__(self, vectors: VectorIndex) -> None:
        self._vectors = vectors
        self.judged = 0
        """How many images were compared with something."""

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        here = await self._vectors.embeddings(ids)
        self.judged += len(here)
        return {
            id_: [STEEPNESS * (float(np.dot(part.embedding, each)) - 0.8) for part in parts]
            for id_, each in here.items()
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
