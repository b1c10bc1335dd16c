"""Listings of the library: sort keys, keyset positions, windows and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.filters import (
    SORT_KEYS,
    SortField,
    SortKey,
    SortValue,
)
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image

MAX_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort order: by the field, ties by id in the same direction.

    Images without a value come last in both directions. Text is compared by code point.
    """

    field: SortField = SortField.CREATED_AT
    descending: bool = True

    @property
    def key(self) -> SortKey:
        """The description of the field."""
        return SORT_KEYS[self.field]


@dataclass(frozen=True, slots=True)
class Position:
    """A keyset position in a listing. It stays valid after its image is deleted."""

    value: SortValue
    id: UUID


def position_of(image: Image, sort: Sort) -> Position:
    """Return the position of ``image`` in the order ``sort``."""
    return Position(sort.key.value_of(image), image.id)


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``size`` images between two positions, both excluded.

    With ``from_end`` they are the last ones before ``before``, still in the listing's order.
    """

    size: int
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The images of a window, and whether the listing goes on at either side."""

    images: tuple[Image, ...]
    has_next: bool
    has_previous: bool


def check_page_size(name: str, size: int) -> None:
    """Raise InvalidArgument for a page size out of range; ``name`` is the argument's name."""
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise InvalidArgument((name,), f"{name} is {size}; it may be 0 to {MAX_PAGE_SIZE}.")
