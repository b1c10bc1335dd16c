"""Counts the values of facets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.facets import Facet, FacetRequest, FacetValue, Selection
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class CountFacets:
    """Counts the values of facets, the most frequent first, ties by code point.

    Months are sorted from the newest on.
    """

    catalog: Catalog

    async def __call__(
        self, selection: Selection, requests: Sequence[FacetRequest]
    ) -> list[tuple[FacetValue, ...]]:
        """Return the values of each requested facet, in order, all counted in one snapshot."""
        limits: dict[Facet, int | None] = {}
        for request in requests:
            limit = limits.get(request.facet, 0)
            limits[request.facet] = (
                None if limit is None or request.first is None else max(limit, request.first)
            )
        values = await self.catalog.facets(selection, limits)
        return [values[request.facet][: request.first] for request in requests]
