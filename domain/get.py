"""Looking images up by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.images import Image
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class GetImages:
    """Return those of the images that are here, by id."""

    catalog: Catalog

    async def __call__(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return await self.catalog.get(ids)
