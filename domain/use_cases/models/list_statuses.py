"""Listing the progress of the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.models import ModelStatus
    from domain.ports import Models


@dataclass(frozen=True, slots=True)
class ListModelStatuses:
    """Return the progress of every model, oldest first."""

    models: Models

    async def __call__(self) -> Sequence[ModelStatus]:
        return await self.models.statuses()
