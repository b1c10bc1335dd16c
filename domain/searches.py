"""A search that is kept, so that its pages stay what they were while images come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.embeddings import Hit, Query
    from domain.images import Image
    from domain.uploads import Upload

DEPTH = 1_000
"""How many hits of a search can be paged through."""

LIFETIME = timedelta(hours=1)
"""How long a search is kept."""

MOST_KEPT = 20_000
"""How many searches are kept at a time, under 700 MB of them: more would be somebody's attack."""

MAX_PAGE = 100


def check_page_size(argument: str, size: int) -> None:
    """Raise InvalidArgument for a page that is too large or less than empty."""
    if not 0 <= size <= MAX_PAGE:
        raise InvalidArgument(argument, f"{argument} is {size}; it may be 0 to {MAX_PAGE}.")


@dataclass(frozen=True, slots=True)
class ByText:
    """Look for what a text describes."""

    text: str


@dataclass(frozen=True, slots=True)
class ByPicture:
    """Look for what an example shows. The example is not kept."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class ByImage:
    """Look for what an image of the library shows."""

    image_id: UUID


@dataclass(frozen=True, slots=True)
class BySearch:
    """Ask a kept search again, with other conditions or the same."""

    search_id: UUID


SearchBy: TypeAlias = "ByText | ByPicture | ByImage | BySearch"


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """An embedded query and what it found, in order."""

    id: UUID
    created_at: datetime
    model: str
    query: Query
    question: str
    """A digest of what was asked (text, file or id): a cursor belongs to one question."""
    conditions: str
    """A digest of the filter and of whether the answer had to be exact."""
    hits: tuple[Hit, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """A place in what a kept search found: ``rank`` hits, from the best, lie behind it."""

    search_id: UUID
    rank: int


@dataclass(frozen=True, slots=True)
class Found:
    """An image on a page of results."""

    image: Image
    score: float
    cursor: SearchCursor


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of what a search found; images deleted since then have dropped out."""

    search_id: UUID
    found: tuple[Found, ...]
    has_next: bool
    has_previous: bool
    exact: bool
