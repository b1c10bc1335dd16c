"""Counts how often the values of facts occur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.facets import Facet, FacetRequest, FacetValue, Selection
    from domain.ports import Catalog


@dataclass(frozen=True, slots=True)
class CountFacets:
    """Count the values of facts, the most frequent first, and months from the newest on.

    Values that are equally frequent come in the order of their code points.
    """

    catalog: Catalog

    async def __call__(
        self, selection: Selection, wanted: Sequence[FacetRequest]
    ) -> list[tuple[FacetValue, ...]]:
        """Return the values of each that is wanted, in order, all counted at the same moment."""
        most: dict[Facet, int | None] = {}
        for each in wanted:
            known = most.get(each.facet, 0)
            most[each.facet] = (
                None if known is None or each.first is None else max(known, each.first)
            )
        counted = await self.catalog.facets(selection, most)
        return [counted[each.facet][: each.first] for each in wanted]
