"""A search that is kept, so that its pages stay what they were while images come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.embeddings import Hit, Query
    from domain.images import Image

DEPTH = 1_000
"""How many hits of a search can be paged through."""

LIFETIME = timedelta(hours=1)
"""How long a search is kept."""


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
