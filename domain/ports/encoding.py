"""What embeds texts and pictures, and what is known of the models that do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.embeddings import Embedding, EmbeddingModel, Part
    from domain.images import Pixels
    from domain.models import LiveModel


class Encoder(Protocol):
    """A dual encoder of texts and pictures. Calls that run at once share forward passes."""

    @property
    def model(self) -> EmbeddingModel:
        """The model that encodes."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed each text. Raises Overloaded when too much waits already."""

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Embed each picture. Raises Overloaded when too much waits already."""


class Space(Protocol):
    """Arithmetic over the embeddings of one model, and what is there by chance."""

    async def margins(
        self, parts: Sequence[Part], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        """Return, for each image that is here, how far it stands out for each part of a query.

        For a text, against everyday concepts; for a picture, against the library. In logits.
        """

    async def blend(self, parts: Sequence[Part]) -> Embedding:
        """Return one point for all parts: what is wanted, without what is not."""


class Models(Protocol):
    """The models of the library, whoever changes them."""

    async def live(self) -> Sequence[LiveModel]:
        """Return the models that are to know every image, the oldest first. One may be ACTIVE."""

    async def settle(self, model_id: int) -> bool:
        """Finish a BACKFILLING model if nothing is left to do, and tell whether it is READY."""
