"""Describes the server: its version, limits and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.trash import DEFAULT_TRASH_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import KnownModel
    from domain.ports import Encoder, KnownModels


@dataclass(frozen=True, slots=True)
class DescribeServer:
    """The facts and limits of the server, for clients that upload."""

    encoder: Encoder
    known_models: KnownModels
    version: str
    max_upload_bytes: int
    max_files_per_request: int
    accepted_content_types: tuple[str, ...]
    trash_lifetime: timedelta = DEFAULT_TRASH_LIFETIME

    @property
    def model(self) -> EmbeddingModel:
        """The model that encodes queries."""
        return self.encoder.model

    async def embedded_count(self) -> int:
        """Return how many images have an embedding by the model."""
        for known in await self.known_models.known():
            if (known.name, known.dimensions) == (self.model.name, self.model.dimensions):
                return known.embedded_count
        return 0

    async def models(self) -> Sequence[KnownModel]:
        """Return every model that has or had embeddings in the library, oldest first."""
        return await self.known_models.known()
