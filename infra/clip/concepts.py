"""The background that texts are compared with: everyday concepts, encoded once per model."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from domain.errors import Overloaded

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import NDArray

    from domain.ports import Encoder

    class ConceptStore(Protocol):
        """Where encoded concepts are kept, for all servers of a database."""

        async def find(self, sha256: str) -> bytes | None:
            """Return what was kept for concepts of this digest."""

        async def keep(self, sha256: str, embeddings: bytes) -> None:
            """Keep these, in place of those of other concepts."""


logger = logging.getLogger(__name__)

AT_ONCE = 64
"""How many concepts are encoded before others have their turn."""


def read_concepts() -> tuple[str, ...]:
    """Return about two thousand things that pictures show, each as a text: "a boat"."""
    lines = files("infra.clip").joinpath("concepts.txt").read_text("utf-8").splitlines()
    things = [line for line in lines if not line.startswith("#")]
    return tuple(f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in things)


class ConceptBank:
    """The embeddings of the concepts by one model: from the shelf, or encoded and put there."""

    def __init__(self, encoder: Encoder, shelf: ConceptStore, concepts: tuple[str, ...]) -> None:
        """Take a model, and what to encode with it."""
        self._encoder = encoder
        self._shelf = shelf
        self._concepts = concepts
        self._fetching: asyncio.Task[NDArray[np.float32]] | None = None

    async def __call__(self) -> NDArray[np.float32]:
        """Return them: (concepts, dimensions), each of length 1. Raises Overloaded."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._forget_failure)
        # Encoding goes on when the one who asked first gives up: others ask again.
        return await asyncio.shield(self._fetching)

    async def prepare(self) -> None:
        """Encode them now, if there is time for it: who needs them first asks again."""
        with suppress(Overloaded):
            await self()

    def _forget_failure(self, fetching: asyncio.Task[NDArray[np.float32]]) -> None:
        if fetching.cancelled() or fetching.exception():
            self._fetching = None

    async def _fetch(self) -> NDArray[np.float32]:
        sha256 = hashlib.sha256("\n".join(self._concepts).encode()).hexdigest()
        kept = await self._shelf.find(sha256)
        if kept is None:
            model = self._encoder.model.name
            logger.info("encoding %d concepts with %s, once", len(self._concepts), model)
            encoded: list[object] = []
            for start in range(0, len(self._concepts), AT_ONCE):
                some = self._concepts[start : start + AT_ONCE]
                encoded += await self._encoder.encode_texts(some)
            kept = np.array(encoded, np.float32).tobytes()
            await self._shelf.keep(sha256, kept)
        return np.frombuffer(kept, np.float32).reshape(len(self._concepts), -1)
