"""The encoder of texts and pictures, and arithmetic over its embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, EmbeddingModel, QueryPart
    from domain.entities.images import Pixels


class Encoder(Protocol):
    """A dual encoder of texts and pictures. Concurrent calls share forward passes."""

    @property
    def model(self) -> EmbeddingModel:
        """The model that encodes."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed each text. Raises Overloaded when the queue is full."""

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Embed each picture. Raises Overloaded when the queue is full."""


class EmbeddingSpace(Protocol):
    """Arithmetic over the embeddings of one model, relative to what is expected by chance."""

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        """Return the margin of each part of a query, in order, by image. In logits.

        A text is compared with everyday concepts, a picture with a sample of the library. Images
        that are not READY are left out.
        """

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        """Return one embedding of all parts: the sum of the like parts, without the unlike ones."""
