"""A search that is kept, so that its pages stay what they were while images come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.embeddings import Hit, Query
    from domain.entities.images import Image
    from domain.entities.queries import (
        SearchOptions,
    )

DEPTH = 1_000
"""How many hits of a search can be paged through."""

LIFETIME = timedelta(hours=1)
"""How long a search is kept."""

MOST_KEPT = 20_000
"""How many searches are kept at a time, a gigabyte of them: more would be somebody's attack."""


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
    """A digest of everything else that decides which hits there are and in what order."""
    hits: tuple[Hit, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """A place in what a kept search found: ``rank`` hits, from the best, lie behind it."""

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
    """A part of the work on an answer, and how long it took."""

    name: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of what a search found; images deleted since then have dropped out."""

    search: KeptSearch
    narrowing: SearchOptions
    found: tuple[FoundImage, ...]
    has_next: bool
    has_previous: bool
    stages: tuple[Stage, ...]
    """What was done for this page, in order; what was kept took no time."""

    @property
    def search_id(self) -> UUID:
        """The search that can be asked again."""
        return self.search.id
