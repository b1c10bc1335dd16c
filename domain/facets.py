"""Facets: which values the facts of many images have, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from domain.errors import InvalidArgument
from domain.filters import ImageFilter

if TYPE_CHECKING:
    from domain.ports import Catalog

MAX_VALUES = 100

Selection: TypeAlias = ImageFilter | Sequence[UUID]
"""Images that are meant: all that match, or these, of which deleted ones drop out."""


class Facet(StrEnum):
    """A fact whose values can be counted. An image without it is not counted."""

    CAMERA = "camera"
    """The model, as the camera calls itself."""
    TAG = "tag"
    MONTH = "month"
    """``YYYY-MM`` of when it was taken, in UTC."""
    CONTENT_TYPE = "content_type"


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value, and how many images have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ``first`` values of a facet; None is all of them."""

    facet: Facet
    first: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for none at all and for too many."""
        if self.first is not None and not 1 <= self.first <= MAX_VALUES:
            raise InvalidArgument(
                "first", f"first is {self.first}; it may be 1 to {MAX_VALUES} for a facet."
            )


@dataclass(frozen=True, slots=True)
class CountFacets:
    """Count the values of facts, the most frequent first, and months from the newest on.

    Values that are equally frequent come in the order of their code points.
    """

    catalog: Catalog

    async def __call__(
        self, selection: Selection, wanted: Sequence[Wanted]
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
