"""Relevance: a calibrated score of how well an image answers a query.

Its scale is the same for all queries and models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

LIKELY = 0.5
"""From here on, a hit is more likely an answer than noise."""

STRONG = 0.9
"""From here on, a hit is rarely noise. Measured on libraries of thousands of images: of the queries
for absent things, at most one in twenty has a hit this strong."""


class RelevanceBand(StrEnum):
    """Relevance in three bands: STRONG from 0.9, LIKELY from 0.5, WEAK below."""

    STRONG = "strong"
    """A relevance of 0.9 or more."""
    LIKELY = "likely"
    """A relevance of 0.5 or more, and less than 0.9."""
    WEAK = "weak"
    """A relevance of less than 0.5."""


def band_of(relevance: float) -> RelevanceBand:
    """Return the band of a relevance."""
    if relevance >= STRONG:
        return RelevanceBand.STRONG
    return RelevanceBand.LIKELY if relevance >= LIKELY else RelevanceBand.WEAK


@dataclass(frozen=True, slots=True)
class Curve:
    """Maps margins to relevance by a logistic curve (Platt scaling; Platt, 1999)."""

    midpoint: float
    """The margin that separates hits from noise best."""
    spread: float
    """The margin above the midpoint at which relevance is 0.73, the logistic function of 1."""

    def __post_init__(self) -> None:
        """Raise ValueError unless the curve is finite and rises."""
        if not (math.isfinite(self.midpoint) and 0 < self.spread < math.inf):
            message = f"midpoint {self.midpoint} and spread {self.spread} make no rising curve"
            raise ValueError(message)

    def __call__(self, margin: float) -> float:
        """Return the relevance of a margin: 0 to 1, and one half at the midpoint."""
        return 0.5 + 0.5 * math.tanh((margin - self.midpoint) / (2 * self.spread))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The curves of a model, for queries made from texts and from pictures."""

    text: Curve
    image: Curve
    background: float = 1.0
    """The share of the background logit that is subtracted from the logit of a text, 0 to 1. The
    background logit is a soft maximum over everyday concepts."""

    def __post_init__(self) -> None:
        """Raise ValueError for a share out of range."""
        if not 0 <= self.background <= 1:
            message = f"background {self.background} is not from 0 to 1"
            raise ValueError(message)


CLIP = Calibration(text=Curve(4.6, 1.6), image=Curve(17.8, 2.7))
"""Measured on recorded embeddings of CLIP ViT-B/32 by ``python -m benchmarks.relevance``. The
default of models without a calibration of their own."""
