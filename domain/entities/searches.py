"""Kept searches: their hits are stored, so that pages stay stable while images come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.embeddings import Hit, Query
    from domain.entities.images import Image
    from domain.entities.queries import SearchOptions

MAX_SEARCH_DEPTH = 1_000
"""How many hits of a search can be paged through."""

SEARCH_LIFETIME = timedelta(hours=1)

MAX_KEPT_SEARCHES = 20_000
"""The most searches that are kept at a time, about a gigabyte."""


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """An embedded query with its hits, best first."""

    id: UUID
    created_at: datetime
    model: str
    query: Query
    query_digest: str
    """Tells queries apart. A cursor is valid for one query only."""
    options_digest: str
    """Tells options apart: whatever else decides on the hits and their order."""
    hits: tuple[Hit, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """A position in the hits of a kept search, after the best ``rank`` of them."""

    search_id: UUID
    rank: int


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image on a page of results."""

    image: Image
    hit: Hit
    cursor: SearchCursor

    @property
    def score(self) -> float:
        """The cosine similarity of query and image, -1 to 1."""
        return self.hit.score


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a search and its duration."""

    name: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of results. Images that were deleted since the search are left out."""

    search: KeptSearch
    options: SearchOptions
    found: tuple[FoundImage, ...]
    has_next: bool
    has_previous: bool
    stages: tuple[Stage, ...]
    """The steps in order. A step that was not needed took no time."""

    @property
    def search_id(self) -> UUID:
        """The search that can be run again."""
        return self.search.id
