"""Scores how relevant hits are to a query."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.embeddings import QueryKind
from domain.entities.relevance import LIKELY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.embeddings import EmbeddingModel, Hit, Query, QueryPart
    from domain.ports import EmbeddingSpace

SMALLEST_RELEVANCE = 1e-300
"""Keeps the logarithm finite."""


@dataclass(frozen=True, slots=True)
class RelevanceScorer:
    """Turns margins into relevance by the calibration of the model.

    The margin of a text is how much better it fits an image than everyday concepts do. The margin
    of a picture is how much more similar the image is to it than the library is on average. The
    relevance of a blend is the weighted geometric mean over its like parts, times
    ``1 - weight * relevance`` for each unlike part.
    """

    space: EmbeddingSpace
    model: EmbeddingModel

    async def __call__(self, query: Query, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits in order, each with its relevance.

        Hits that have a relevance keep it. Of the others, those of deleted images are left out.
        """
        scored = {hit.image_id: hit.relevance for hit in hits if hit.relevance is not None}
        unscored = [hit.image_id for hit in hits if hit.relevance is None]
        if unscored:
            margins = await self.space.margins(query.parts, unscored)
            scored |= {id_: self._relevance(query.parts, each) for id_, each in margins.items()}
        return [
            replace(hit, relevance=scored[hit.image_id]) for hit in hits if hit.image_id in scored
        ]

    async def relevant(
        self, query: Query, hits: Sequence[Hit], *, least: float | None
    ) -> list[Hit]:
        """Return the hits with a relevance of at least ``least``, or LIKELY where it is None."""
        bound = LIKELY if least is None else least
        return [hit for hit in await self(query, hits) if (hit.relevance or 0.0) >= bound]

    def _relevance(self, parts: Sequence[QueryPart], margins: Sequence[float]) -> float:
        calibration = self.model.calibration
        total = sum(part.weight for part in parts if part.weight > 0)
        log_mean, allowed = 0.0, 1.0
        for part, margin in zip(parts, margins, strict=True):
            curve = calibration.text if part.kind is QueryKind.TEXT else calibration.image
            relevance = curve(margin)
            if part.weight > 0:
                log_mean += part.weight / total * math.log(max(relevance, SMALLEST_RELEVANCE))
            else:
                allowed *= 1 + part.weight * relevance
        return math.exp(log_mean) * allowed
