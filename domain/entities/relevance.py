"""How well a picture answers a query, on one scale for every query and every model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

LIKELY = 0.5
"""From here on a hit is rather an answer than noise."""

STRONG = 0.9
"""From here on a hit is hardly ever noise: of things that a library of thousands does not show, one
in twenty at most finds a hit as strong as this."""


class RelevanceBand(StrEnum):
    """Relevance in three words: STRONG from 0.9, LIKELY from 0.5, WEAK below."""

    STRONG = "strong"
    LIKELY = "likely"
    WEAK = "weak"


def band_of(relevance: float) -> RelevanceBand:
    """Return the word for a relevance."""
    if relevance >= STRONG:
        return RelevanceBand.STRONG
    return RelevanceBand.LIKELY if relevance >= LIKELY else RelevanceBand.WEAK


@dataclass(frozen=True, slots=True)
class Curve:
    """From margins to relevance: a logistic curve (Platt, 1999, Probabilistic outputs for SVMs)."""

    midpoint: float
    """The margin that parts hits from noise best."""
    spread: float
    """How much more margin makes an even chance one of 0.73."""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no curve that rises."""
        if not (math.isfinite(self.midpoint) and 0 < self.spread < math.inf):
            message = f"midpoint {self.midpoint} and spread {self.spread} make no rising curve"
            raise ValueError(message)

    def __call__(self, margin: float) -> float:
        """Return the relevance of a margin: 0 to 1, and one half at the midpoint."""
        return 0.5 + 0.5 * math.tanh((margin - self.midpoint) / (2 * self.spread))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model's curves: for queries made from texts, and for those made from pictures."""

    text: Curve
    image: Curve
    background: float = 1.0
    """How much of what everything else fits a picture is taken off what a text does: 0 to 1."""

    def __post_init__(self) -> None:
        """Raise ValueError for a share that is none."""
        if not 0 <= self.background <= 1:
            message = f"background {self.background} is not from 0 to 1"
            raise ValueError(message)


CLIP = Calibration(text=Curve(4.6, 1.6), image=Curve(17.8, 2.7))
"""What recorded embeddings of CLIP ViT-B/32 gave: ``python -m benchmarks.relevance``. Models that
bring no calibration of their own are judged by it."""
