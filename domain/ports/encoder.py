"""The encoder of texts and pictures, and arithmetic over its embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, EmbeddingModel, QueryPart
    from domain.entities.images import Pixels


class Encoder(Protocol):
    """A dual encoder of texts and pictures. Calls that run at once share forward passes."""

    @property
    def model(self) -> EmbeddingModel:
        """The model that encodes."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed each text. Raises Overloaded when too much waits already."""

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Embed each picture. Raises Overloaded when too much waits already."""


class EmbeddingSpace(Protocol):
    """Arithmetic over the embeddings of one model, and what is there by chance."""

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        """Return, for each image that is here, how far it stands out for each part of a query.

        For a text, against everyday concepts; for a picture, against the library. In logits.
        """

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        """Return one point for all parts: what is wanted, without what is not."""
