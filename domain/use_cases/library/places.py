"""Clusters the places where pictures were taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.facets import Selection
    from domain.entities.places import PlaceCluster, PlaceRequest
    from domain.ports import Places


@dataclass(frozen=True, slots=True)
class ClusterPlaces:
    """Returns the clusters of the selected images with a place, the fullest first."""

    places: Places

    async def __call__(self, selection: Selection, request: PlaceRequest) -> Sequence[PlaceCluster]:
        return await self.places.clusters(selection, request)
