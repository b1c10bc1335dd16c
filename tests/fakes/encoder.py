"""An encoder without a model: embeds pictures and texts by their colours."""

from __future__ import annotations

import asyncio
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
    """Embeds pictures by mean colour and the colours of their quarters, texts by colour names.

    "red" and a red picture are near (cosine above 0.9), "red" and a blue one far (below 0).
    A text that names no colour has a random embedding that depends on the text alone.
    """

    def __init__(self, *, dimensions: int = 16, name: str = "fake") -> None:
        self.model = EmbeddingModel(name, dimensions)
        self.calls = 0
        """The number of calls that were not refused."""
        self.texts: list[str] = []
        """Every text that was encoded, in order."""
        self.pictures: list[Pixels] = []
        """Every picture that was encoded, in order."""
        self.overloaded = False
        """While it is set, every call is refused."""
        self.error: Exception | None = None
        """While it is set, every call raises it."""
        self.hangs = False
        """While it is set, no call returns."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        await self._admit()
        self.texts += texts
        return [self._text(text) for text in texts]

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        await self._admit()
        self.pictures += pictures
        return [self._picture(pixels) for pixels in pictures]

    async def _admit(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        if self.overloaded:
            raise Overloaded("The queue of the encoder is full; try again in a minute.")
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
        """Return the features at length 1, with a little noise that tells equal features apart."""
        digest = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
        vector = _NOISE * np.random.default_rng(digest).standard_normal(self.model.dimensions)
        known = features[: self.model.dimensions]
        vector[: len(known)] += known
        return tuple((vector / np.linalg.norm(vector)).tolist())
