"""Clusters of places in memory."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from domain.entities.places import GeoBox, PlaceCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.facets import Selection
    from domain.entities.places import PlaceRequest
    from tests.fakes.catalog import MemoryCatalog

DATE_LINE = 180


class MemoryPlaces:
    """Clusters the images of a catalog."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self._catalog = catalog

    async def clusters(self, selection: Selection, request: PlaceRequest) -> Sequence[PlaceCluster]:
        cells: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
        degrees = request.cell_degrees
        for image in self._catalog.selected(selection):
            place = image.exif and image.exif.location
            if place:
                east = -DATE_LINE if place.longitude == DATE_LINE else place.longitude
                cell = (
                    math.floor((place.latitude + 90) / degrees),
                    math.floor((east + 180) / degrees),
                )
                cells[cell].append((place.latitude, east))
        ordered = sorted(cells.items(), key=lambda item: (-len(item[1]), item[0]))
        return [_cluster(places) for _, places in ordered[: request.first]]


def _cluster(places: list[tuple[float, float]]) -> PlaceCluster:
    latitudes, longitudes = zip(*places, strict=True)
    box = GeoBox(max(latitudes), min(latitudes), max(longitudes), min(longitudes))
    return PlaceCluster(fmean(latitudes), fmean(longitudes), len(places), box)
