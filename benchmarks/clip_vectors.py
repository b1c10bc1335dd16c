"""Synthetic vectors with the geometry of CLIP's, of pictures and of texts.

Mean cosines, spectrum and nearest neighbours are about those of the recorded vectors of ViT-B/32.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 512

CONE = 0.683
"""The length of the mean of all pictures' vectors: they are in a cone."""

SPECTRUM_EXPONENT = 1.0
"""The variance of the n-th principal component falls with this power of n."""

MOTIF_SHARE = 0.78
"""How much of the variance the pictures of one motif share. Their cosines are about .9."""

PICTURES_PER_MOTIF = 20

TEXT_MEAN_COSINE = 0.178
"""The mean cosine of a text and a picture, which are in different cones."""

TEXT_MOTIF_WEIGHT = 0.16
"""How far a text points to its motif: the cosine of the nearest picture is about .30."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClipGeometry:
    """A distribution of pictures and texts. One seed gives one distribution."""

    pictures: int
    """How many pictures the library has. It has a motif for each ``PICTURES_PER_MOTIF``."""
    seed: int = 0
    _basis: list[Array] = field(default_factory=list)

    def picture_vectors(self, start: int, stop: int) -> Array:
        """Return the vectors of some of the pictures, of length 1: (pictures, dimensions)."""
        random = np.random.default_rng((self.seed, 1, start))
        motifs = random.integers(0, self._motif_count, stop - start)
        own = random.standard_normal((stop - start, DIMENSIONS), np.float32)
        inside = MOTIF_SHARE**0.5 * self._motifs(motifs) + (1 - MOTIF_SHARE) ** 0.5 * own
        return _normalised(self._mean(1) * CONE + inside * self._deviations())

    def text_vectors(self, count: int) -> Array:
        """Return the vectors of texts, each for one motif, of length 1: (texts, dimensions)."""
        random = np.random.default_rng((self.seed, 2))
        motifs = self._motifs(random.integers(0, self._motif_count, count)) * self._deviations()
        own = random.standard_normal((count, DIMENSIONS), np.float32)
        towards = TEXT_MEAN_COSINE / CONE * self._mean(1) + TEXT_MOTIF_WEIGHT * _normalised(motifs)
        rest = (1 - np.linalg.norm(towards, axis=1, keepdims=True) ** 2) ** 0.5
        aside = _normalised(self._mean(3) + 0.6 * _normalised(own))
        return _normalised(towards + rest * aside)

    @property
    def _motif_count(self) -> int:
        return max(1, self.pictures // PICTURES_PER_MOTIF)

    def _motifs(self, numbers: NDArray[np.int64]) -> Array:
        """Return the standard normal vectors of motifs, which are the same in every call."""
        if not self._basis:
            random = np.random.default_rng((self.seed, 0))
            self._basis.append(random.standard_normal((self._motif_count, DIMENSIONS), np.float32))
        return self._basis[0][numbers]

    def _mean(self, axis: int) -> Array:
        """Return a direction of one axis that no principal component has much of."""
        mean = np.zeros(DIMENSIONS, np.float32)
        mean[-axis] = 1
        return mean

    def _deviations(self) -> Array:
        """Return the standard deviation of each axis. With the mean they give length 1."""
        number = np.arange(1, DIMENSIONS + 1, dtype=np.float32)
        variance = number**-SPECTRUM_EXPONENT
        return np.asarray(np.sqrt(variance / variance.sum() * (1 - CONE**2)), np.float32)


def _normalised(points: NDArray[np.floating]) -> Array:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / lengths, np.float32)
