"""Kept searches: their hits are stored, so that pages stay stable while images come and go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.embeddings import Hit, Query
    from domain.entities.images import Image
    from domain.entities.queries import SearchOptions

MAX_SEARCH_DEPTH = 1_000
"""How many hits of a search can be paged through."""

SEARCH_DEPTHS = (120, 400, MAX_SEARCH_DEPTH)
"""How many of the nearest images a search ranks: the first depth at once, the others where a page
needs them. The first is enough for the largest page, and a few images deleted meanwhile."""

CURSOR_DIGEST_BYTES = 8
"""Of the digest of the hits before a cursor."""

SEARCH_LIFETIME = timedelta(hours=1)

MAX_KEPT_SEARCHES = 20_000
"""The most searches that are kept at a time, about a gigabyte."""


class SearchDepth(Enum):
    """How deep an answer needs a search to be ranked."""

    PAGE = auto()
    """For one page."""
    ALL = auto()
    """For counts over all hits: MAX_SEARCH_DEPTH."""


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """An embedded query with its hits, best first.

    Hits are only ever appended, so a rank means the same hit as long as the search is kept.
    """

    id: UUID
    created_at: datetime
    model: str
    query: Query
    query_digest: str
    """Tells queries apart. A cursor is valid for one query only."""
    options_digest: str
    """Tells options apart, on which the hits and their order depend, too."""
    hits: tuple[Hit, ...]
    exact: bool
    """Whether every candidate was compared, at each depth."""
    depth: int = MAX_SEARCH_DEPTH
    """How many of the nearest images were ranked; MAX_SEARCH_DEPTH where there are no more."""
    ranked_depth: int = MAX_SEARCH_DEPTH
    """The limit of the last ranking, also where it found fewer images."""

    @property
    def is_complete(self) -> bool:
        """Whether no deeper hits can be found."""
        return self.depth >= MAX_SEARCH_DEPTH

    def continues(self, other: KeptSearch) -> bool:
        """Whether this is another version of a search, or that with more hits behind its own."""
        begin = self.hits[: len(other.hits)]
        return self.depth >= other.depth and [hit.image_id for hit in begin] == [
            hit.image_id for hit in other.hits
        ]

    def cursors(self, rank: int) -> Iterator[SearchCursor]:
        """Yield the positions after each hit behind a rank."""
        digest = self._digest(rank)
        for after, hit in enumerate(self.hits[rank:], rank + 1):
            digest.update(hit.image_id.bytes)
            yield SearchCursor(self.id, after, digest.hexdigest())

    def has(self, cursor: SearchCursor) -> bool:
        """Whether the hits before a cursor are those of this version of the search."""
        return (
            cursor.rank <= len(self.hits)
            and self._digest(cursor.rank).hexdigest() == cursor.hits_digest
        )

    def _digest(self, rank: int) -> hashlib.blake2b:
        """Return the digest of the best hits, so many."""
        ids = b"".join(hit.image_id.bytes for hit in self.hits[:rank])
        return hashlib.blake2b(ids, digest_size=CURSOR_DIGEST_BYTES)

    def deepened(
        self, hits: Sequence[Hit], *, depth: int, exact: bool, is_complete: bool = False
    ) -> KeptSearch:
        """Return the search with the new ones of these hits behind its own.

        ``is_complete`` tells that there are no more.
        """
        known = {hit.image_id for hit in self.hits}
        new = [hit for hit in hits if hit.image_id not in known]
        return replace(
            self,
            hits=(*self.hits, *new)[:MAX_SEARCH_DEPTH],
            depth=MAX_SEARCH_DEPTH if is_complete else depth,
            ranked_depth=depth,
            exact=self.exact and exact,
        )


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """A position in the hits of a kept search, after the best ``rank`` of them.

    Servers that cannot save a search may deepen it to versions that differ, so a cursor has a
    digest of the hits before it: a page continues no other version.
    """

    search_id: UUID
    rank: int
    hits_digest: str


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
