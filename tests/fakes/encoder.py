"""An encoder without a model: pictures embed by their colours, texts by the colours they name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from domain.entities.embeddings import Embedding, EmbeddingModel
from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.images import Pixels

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "orange": (255, 128, 0),
    "purple": (128, 0, 128),
    "brown": (128, 64, 0),
    "pink": (255, 128, 192),
}
_GREY = 0.25
_NOISE = 0.01


class FakeEncoder:
    """Pictures embed by their mean colour and those of their quarters, texts by colours they name.

    "red" and a red picture have a cosine above 0.9, "red" and a blue one below 0. A text that names
    no colour has a pseudo-random embedding, seeded by the text.
    """

    def __init__(self, *, dimensions: int = 16, name: str = "fake") -> None:
        self.model = EmbeddingModel(name, dimensions)
        self.calls = 0
        """How many calls succeeded, of both kinds."""
        self.texts: list[str] = []
        """Every text that was encoded, in order."""
        self.pictures: list[Pixels] = []
        """Every picture that was encoded, in order."""
        self.overloaded = False
        """While true, every call raises Overloaded."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        self._admit()
        self.texts += texts
        return [self._text(text) for text in texts]

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        self._admit()
        self.pictures += pictures
        return [self._picture(pixels) for pixels in pictures]

    def _admit(self) -> None:
        if self.overloaded:
            raise Overloaded("Too much is waiting to be encoded; try again in a moment.")
        self.calls += 1

    def _text(self, text: str) -> Embedding:
        seed = text.encode("utf-8", "replace")
        named = [COLOURS[word] for word in text.lower().split() if word in COLOURS]
        if not named:
            return self._embedding(np.zeros(0), seed)
        colour = np.mean(named, axis=0) / 255 - 0.5
        return self._embedding(np.array([_GREY, *colour]), seed)

    def _picture(self, pixels: Pixels) -> Embedding:
        shape = (pixels.height, pixels.width, 3)
        rgb = np.frombuffer(pixels.rgb, np.uint8).reshape(shape)
        tops = (slice(0, -(-pixels.height // 2)), slice(pixels.height // 2, None))
        lefts = (slice(0, -(-pixels.width // 2)), slice(pixels.width // 2, None))
        mean = rgb.mean(axis=(0, 1)) / 255 - 0.5
        quarters = [rgb[y, x].mean(axis=(0, 1)) / 255 - 0.5 - mean for y in tops for x in lefts]
        features = np.concatenate([[_GREY], mean, *quarters])
        return self._embedding(features, f"{shape}".encode() + pixels.rgb)

    def _embedding(self, features: np.ndarray, seed: bytes) -> Embedding:
        """Return the features at length 1, plus seeded noise: no two inputs embed alike."""
        digest = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
        vector = _NOISE * np.random.default_rng(digest).standard_normal(self.model.dimensions)
        known = features[: self.model.dimensions]
        vector[: len(known)] += known
        return tuple((vector / np.linalg.norm(vector)).tolist())
