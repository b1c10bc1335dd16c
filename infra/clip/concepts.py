"""The concept bank: embeddings of everyday concepts, encoded once per model.

A text's relevance is measured against the concepts as background classes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from domain.errors import Overloaded, Unavailable

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import NDArray

    from domain.entities.embeddings import EmbeddingModel
    from domain.ports import Encoder

    class ConceptStore(Protocol):
        """Persists the encoded concepts of one model; all servers of a database share it."""

        async def find(self, sha256: str) -> bytes | None:
            """Return the stored embeddings of the concepts with this digest, if any."""

        async def keep(self, sha256: str, embeddings: bytes) -> None:
            """Store embeddings; they replace those of other concepts."""


logger = logging.getLogger(__name__)

CONCEPT_BATCH_SIZE = 64
"""Concepts per call of the encoder. Searches run between two calls."""

CHECKED_CONCEPTS = 4
MIN_CHECKED_COSINE = 0.99
"""Of a concept's embedding with the stored one. Precisions and engines differ by less."""


def read_concepts() -> tuple[str, ...]:
    """Return about two thousand things that pictures show, each as a text: "a boat"."""
    lines = files("infra.clip").joinpath("concepts.txt").read_text("utf-8").splitlines()
    things = [line for line in lines if not line.startswith("#")]
    return tuple(f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in things)


class ConceptBank:
    """The embeddings of the concepts by one model: loaded from the store, else encoded and stored.

    Concurrent first calls are coalesced. A failed load is not cached: the next call tries again.
    """

    def __init__(self, encoder: Encoder, store: ConceptStore, concepts: tuple[str, ...]) -> None:
        self._encoder = encoder
        self._store = store
        self._concepts = concepts
        self._sha256 = hashlib.sha256("\n".join(concepts).encode()).hexdigest()
        self._loading: asyncio.Task[NDArray[np.float32]] | None = None

    async def __call__(self) -> NDArray[np.float32]:
        """Return the embeddings, (concepts, dimensions), of length 1 each. Raises Overloaded."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._forget_failure)
        # Shielded: the cancellation of one caller must not cancel the load that others await.
        return await asyncio.shield(self._loading)

    async def mismatch(self) -> str | None:
        """Compare the stored embeddings of a few concepts with what the encoder computes now.

        Vectors of an engine that computes something else should not be mixed with those of the
        library. Returns the difference as a sentence without a full stop, or None.
        """
        stored = await self._find()
        if stored is None:
            return None
        sample = slice(0, None, max(1, len(self._concepts) // CHECKED_CONCEPTS))
        computed = await self._encoder.encode_texts(self._concepts[sample])
        cosines = (stored[sample] * np.array(computed, np.float32)).sum(axis=1)
        lowest = float(cosines.min())
        if lowest >= MIN_CHECKED_COSINE:  # not where it is NaN
            return None
        return (
            f"The model {self._model.name} computes other embeddings than those that the library "
            f"has of it (a cosine of {lowest:.2f})"
        )

    async def prepare(self) -> None:
        """Load the bank ahead of the first search; does nothing when the model is overloaded."""
        with suppress(Overloaded):
            await self()

    def _forget_failure(self, loading: asyncio.Task[NDArray[np.float32]]) -> None:
        if loading.cancelled() or loading.exception():
            self._loading = None

    async def _load(self) -> NDArray[np.float32]:
        stored = await self._find()
        if stored is not None:
            return stored
        logger.info("Encoding %d concepts with %s, once", len(self._concepts), self._model.name)
        embeddings: list[object] = []
        for start in range(0, len(self._concepts), CONCEPT_BATCH_SIZE):
            batch = self._concepts[start : start + CONCEPT_BATCH_SIZE]
            embeddings += await self._encoder.encode_texts(batch)
        encoded = np.array(embeddings, np.float32)
        try:
            await self._store.keep(self._sha256, encoded.tobytes())
        except (Overloaded, Unavailable) as outage:
            logger.warning("the concepts are kept in memory only: %s", outage)
        return encoded

    async def _find(self) -> NDArray[np.float32] | None:
        """Return the stored embeddings. Those of another size are as good as not stored."""
        stored = await self._store.find(self._sha256)
        shape = (len(self._concepts), self._model.dimensions)
        if stored is None or len(stored) != math.prod(shape) * np.float32().itemsize:
            return None
        return np.frombuffer(stored, np.float32).reshape(shape)

    @property
    def _model(self) -> EmbeddingModel:
        return self._encoder.model
