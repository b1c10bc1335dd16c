"""Zero-shot classification: telling images apart by labels that no model was trained for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.facets import FacetValue
from domain.entities.labels import (
    Candidates,
    LabelRequest,
    LabelScore,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.entities.embeddings import Embedding
    from domain.entities.facets import Selection
    from domain.ports import Encoder, VectorIndex


TEMPLATE = "a photo of {}"
"""What a label is put into before it is encoded, as captions say it and labels do not (Radford et
al., 2021, section 3.1.4). Without an article, it takes labels of every number and kind."""


@dataclass(frozen=True, slots=True)
class LabelImages:
    """Tell how well labels describe images, by their embeddings: no picture is looked at again."""

    encoder: Encoder
    vectors: VectorIndex

    async def __call__(self, asked: Sequence[LabelRequest]) -> list[tuple[LabelScore, ...]]:
        """Return the labels of each image with their shares, the best first.

        The shares are the softmax of the cosines at the model's temperature, and add up to 1. An
        image that is not here or not READY gets none. Each label is encoded once, and all images
        are compared in one go. Raises Overloaded.
        """
        labels = list(dict.fromkeys(label for _, each in asked for label in each.labels))
        ids = list(dict.fromkeys(image_id for image_id, _ in asked))
        cosines = await self.vectors.cosines(ids, await self._embed(labels))
        columns = {label: column for column, label in enumerate(labels)}
        return [
            self._shares({label: cosines[image_id][columns[label]] for label in each.labels})
            if image_id in cosines
            else ()
            for image_id, each in asked
        ]

    async def count(self, selection: Selection, candidates: Candidates) -> tuple[FacetValue, ...]:
        """Return for each label how many READY images it fits better than the others do.

        The most frequent comes first; those that fit none are there too. Raises Overloaded.
        """
        points = await self._embed(candidates.labels)
        counts = await self.vectors.count_nearest(selection, points)
        values = map(FacetValue, candidates.labels, counts)
        return tuple(sorted(values, key=lambda value: -value.count))

    async def _embed(self, labels: Iterable[str]) -> list[Embedding]:
        return await self.encoder.encode_texts([TEMPLATE.format(label) for label in labels])

    def _shares(self, cosines: dict[str, float]) -> tuple[LabelScore, ...]:
        best = max(cosines.values())
        scale = self.encoder.model.logit_scale
        weights = {label: math.exp(scale * (cosine - best)) for label, cosine in cosines.items()}
        total = math.fsum(weights.values())
        scores = [LabelScore(label, weight / total) for label, weight in weights.items()]
        return tuple(sorted(scores, key=lambda score: -score.share))
