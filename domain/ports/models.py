"""The models of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.models import KnownModel, LiveModel


class KnownModels(Protocol):
    """The models that have or had embeddings in a library."""

    async def known(self) -> Sequence[KnownModel]:
        """Return every model with the number of its embeddings, oldest first."""


class Models(Protocol):
    """The models whose embeddings are kept up to date."""

    async def live(self) -> Sequence[LiveModel]:
        """Return the models that embed every image, oldest first. At most one is ACTIVE."""

    async def finish_backfill(self, model_id: int) -> bool:
        """Make a BACKFILLING model READY if no work is left, and return whether it is READY."""
