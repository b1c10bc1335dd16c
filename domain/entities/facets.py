"""Facets: which values the facts of many images have, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from domain.entities.filters import ImageFilter
from domain.errors import InvalidArgument

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
class FacetRequest:
    """The ``first`` values of a facet; None is all of them."""

    facet: Facet
    first: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for none at all and for too many."""
        if self.first is not None and not 1 <= self.first <= MAX_VALUES:
            raise InvalidArgument(
                "first", f"first is {self.first}; it may be 1 to {MAX_VALUES} for a facet."
            )
