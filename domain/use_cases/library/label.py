"""Classifies images by arbitrary labels (zero-shot classification)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.facets import FacetValue
from domain.entities.labels import Candidates, LabelRequest, LabelScore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.entities.embeddings import Embedding
    from domain.entities.facets import Selection
    from domain.ports import Encoder, VectorIndex


LABEL_PROMPT = "a photo of {}"
"""The prompt template of labels: models are trained on captions, not on single words (Radford et
al., 2021, section 3.1.4). It has no article, so it fits singular and plural labels."""


@dataclass(frozen=True, slots=True)
class LabelImages:
    """Scores labels by the stored embeddings of images. No picture is decoded again."""

    encoder: Encoder
    vectors: VectorIndex

    async def __call__(self, requests: Sequence[LabelRequest]) -> list[tuple[LabelScore, ...]]:
        """Return the scores of each request, best first.

        The shares are the softmax of the cosines at the model's temperature, and sum up to 1. An
        image that does not exist or is not READY has no scores. Each label is encoded once, and all
        images are compared in one query. Raises Overloaded.
        """
        labels = list(
            dict.fromkeys(label for _, candidates in requests for label in candidates.labels)
        )
        ids = list(dict.fromkeys(image_id for image_id, _ in requests))
        cosines = await self.vectors.cosines(ids, await self._embed(labels))
        columns = {label: column for column, label in enumerate(labels)}
        return [
            self._scores({label: cosines[image_id][columns[label]] for label in candidates.labels})
            if image_id in cosines
            else ()
            for image_id, candidates in requests
        ]

    async def count(self, selection: Selection, candidates: Candidates) -> tuple[FacetValue, ...]:
        """Count for each label the READY images that it fits better than the other labels.

        The most frequent label comes first; labels with a count of 0 are included. Raises
        Overloaded.
        """
        points = await self._embed(candidates.labels)
        counts = await self.vectors.count_nearest(selection, points)
        values = map(FacetValue, candidates.labels, counts)
        return tuple(sorted(values, key=lambda value: -value.count))

    async def _embed(self, labels: Iterable[str]) -> list[Embedding]:
        return await self.encoder.encode_texts([LABEL_PROMPT.format(label) for label in labels])

    def _scores(self, cosines: dict[str, float]) -> tuple[LabelScore, ...]:
        best = max(cosines.values())
        scale = self.encoder.model.logit_scale
        weights = {label: math.exp(scale * (cosine - best)) for label, cosine in cosines.items()}
        total = math.fsum(weights.values())
        scores = [LabelScore(label, weight / total) for label, weight in weights.items()]
        return tuple(sorted(scores, key=lambda score: -score.share))
