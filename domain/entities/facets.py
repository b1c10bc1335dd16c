"""Facets: facts of images whose values are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from domain.entities.filters import ImageFilter
from domain.errors import InvalidArgument

MAX_FACET_VALUES = 100

Selection: TypeAlias = ImageFilter | Sequence[UUID]
"""The images to count: all that match a filter, or these. Deleted images are left out."""


class Facet(StrEnum):
    """A fact whose values can be counted. An image without the fact is not counted."""

    CAMERA = "camera"
    """The model name that the camera wrote."""
    TAG = "tag"
    MONTH = "month"
    """``YYYY-MM`` of when it was taken, in local time."""
    CONTENT_TYPE = "content_type"


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value, and how many images have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetRequest:
    """A facet, and how many of its values to return; None means all."""

    facet: Facet
    first: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a number out of range."""
        if self.first is not None and not 1 <= self.first <= MAX_FACET_VALUES:
            raise InvalidArgument(
                ("first",),
                f"first is {self.first}; it may be 1 to {MAX_FACET_VALUES} for a facet.",
            )
