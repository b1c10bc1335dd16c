"""A search that is kept, so that its pages stay what they were while images come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from domain.errors import InvalidArgument
from domain.filters import EVERYTHING
from domain.likenesses import Collapse

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.embeddings import Hit, Query
    from domain.filters import ImageFilter
    from domain.images import Image
    from domain.uploads import Upload

DEPTH = 1_000
"""How many hits of a search can be paged through."""

LIFETIME = timedelta(hours=1)
"""How long a search is kept."""

MOST_KEPT = 20_000
"""How many searches are kept at a time, a gigabyte of them: more would be somebody's attack."""

MAX_PAGE = 100

MAX_TERMS = 10
"""How many terms either side of a blend may have."""

MIN_WEIGHT = 0.01
MAX_WEIGHT = 100


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


Term: TypeAlias = "ByText | ByPicture | ByImage"
"""What can stand alone or in a blend."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """A term of a blend, and how much it counts beside the others."""

    term: Term
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ByBlend:
    """Look for several things at once, and leave things out."""

    like: tuple[Weighted, ...]
    unlike: tuple[Weighted, ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidArgument for no term or too many, and for a weight that is none."""
        if not 1 <= len(self.like) <= MAX_TERMS:
            raise InvalidArgument(
                "by.blend.like",
                f"like has {len(self.like)} terms; give it 1 to {MAX_TERMS}, and what is to be "
                "left out in unlike.",
            )
        if len(self.unlike) > MAX_TERMS:
            raise InvalidArgument(
                "by.blend.unlike", f"unlike has {len(self.unlike)} terms; at most {MAX_TERMS}."
            )
        for argument, term in self.terms:
            most = MAX_WEIGHT if argument.startswith("by.blend.like") else 1
            # Written so that NaN is refused, too.
            if not MIN_WEIGHT <= term.weight <= most:
                raise InvalidArgument(
                    f"{argument}.weight",
                    f"The weight is {term.weight:g}; what is wanted weighs {MIN_WEIGHT:g} to "
                    f"{MAX_WEIGHT}, and what is not {MIN_WEIGHT:g} to 1, at which it is left out "
                    "whole.",
                )

    @property
    def terms(self) -> tuple[tuple[str, Weighted], ...]:
        """All terms, each with the name of its argument."""
        return tuple(
            (f"by.blend.{side}.{place}", term)
            for side, terms in (("like", self.like), ("unlike", self.unlike))
            for place, term in enumerate(terms)
        )


SearchBy: TypeAlias = "Term | ByBlend | BySearch"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which hits of a question are an answer."""

    criteria: ImageFilter = EVERYTHING
    min_relevance: float | None = None
    collapse: Collapse = Collapse.NONE
    exact: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a relevance that is none."""
        if self.min_relevance is not None and not 0 <= self.min_relevance <= 1:
            raise InvalidArgument(
                "minRelevance",
                f"minRelevance is {self.min_relevance:g}; it may be 0 to 1, and 0.5 keeps what is "
                "likely an answer.",
            )


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
class Found:
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
    narrowing: Narrowing
    found: tuple[Found, ...]
    has_next: bool
    has_previous: bool
    stages: tuple[Stage, ...]
    """What was done for this page, in order; what was kept took no time."""

    @property
    def search_id(self) -> UUID:
        """The search that can be asked again."""
        return self.search.id
