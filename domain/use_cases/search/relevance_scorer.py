"""Telling hits from noise."""

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


@dataclass(frozen=True, slots=True)
class RelevanceScorer:
    """Say how relevant hits are to a query.

    A text's margin is how much better it fits the picture than everyday concepts do, a picture's
    how much more like it the hit is than the library is on the whole; the model's calibration
    makes a relevance of it. A blend is as relevant as its parts are together: the geometric mean
    over what is wanted by weight, times what is left of 1 for each that is not, by weight again.
    """

    space: EmbeddingSpace
    model: EmbeddingModel

    async def __call__(self, query: Query, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits in order, each with its relevance.

        What was judged already stays as it is; of the others, those that are gone drop out.
        """
        known = {hit.image_id: hit.relevance for hit in hits if hit.relevance is not None}
        unknown = [hit.image_id for hit in hits if hit.relevance is None]
        if unknown:
            margins = await self.space.margins(query.parts, unknown)
            known |= {id_: self._relevance(query.parts, each) for id_, each in margins.items()}
        return [
            replace(hit, relevance=known[hit.image_id]) for hit in hits if hit.image_id in known
        ]

    async def relevant(
        self, query: Query, hits: Sequence[Hit], *, least: float | None
    ) -> list[Hit]:
        """Return the hits that are ``least`` relevant, or likely to be where nothing is said."""
        bound = LIKELY if least is None else least
        return [hit for hit in await self(query, hits) if (hit.relevance or 0.0) >= bound]

    def _relevance(self, parts: Sequence[QueryPart], margins: Sequence[float]) -> float:
        curves = self.model.calibration
        total = sum(part.weight for part in parts if part.weight > 0)
        logarithm, allowed = 0.0, 1.0
        for part, margin in zip(parts, margins, strict=True):
            fits = (curves.text if part.kind is QueryKind.TEXT else curves.image)(margin)
            if part.weight > 0:
                logarithm += part.weight / total * math.log(max(fits, 1e-300))
            else:
                allowed *= 1 + part.weight * fits
        return math.exp(logarithm) * allowed
