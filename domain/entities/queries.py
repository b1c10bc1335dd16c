"""Queries: what a search looks for, and which hits count as an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from domain.entities.filters import EVERYTHING
from domain.entities.near_duplicates import Collapse
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from domain.entities.filters import ImageFilter
    from domain.entities.uploads import Upload
    from domain.errors import Location

MAX_BLEND_TERMS = 10
"""The most terms of each side of a blend."""

MIN_WEIGHT = 0.01
MAX_WEIGHT = 100
MAX_UNLIKE_WEIGHT = 1
"""A term with this weight is projected out completely. More would invert the query."""


@dataclass(frozen=True, slots=True)
class ByText:
    """Look for what a text describes."""

    text: str


@dataclass(frozen=True, slots=True)
class ByUpload:
    """Look for what an example picture shows. The picture is not kept."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class ByImage:
    """Look for what an image of the library shows."""

    image_id: UUID


@dataclass(frozen=True, slots=True)
class BySearch:
    """Run a kept search again, with the same options or others."""

    search_id: UUID


Term: TypeAlias = "ByText | ByUpload | ByImage"
"""A query by itself, or a part of a blend."""

Side: TypeAlias = Literal["like", "unlike"]


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """A term of a blend with its weight relative to the other terms."""

    term: Term
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ByBlend:
    """Look for several things at once, and leave others out."""

    like: tuple[WeightedTerm, ...]
    unlike: tuple[WeightedTerm, ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidArgument for the number of terms, and for a weight out of range."""
        if not 1 <= len(self.like) <= MAX_BLEND_TERMS:
            raise InvalidArgument(
                ("blend", "like"),
                f"like has {len(self.like)} terms; give it 1 to {MAX_BLEND_TERMS}, and put what is "
                "to be left out in unlike.",
            )
        if len(self.unlike) > MAX_BLEND_TERMS:
            raise InvalidArgument(
                ("blend", "unlike"),
                f"unlike has {len(self.unlike)} terms; at most {MAX_BLEND_TERMS}.",
            )
        for side, index, term in self.terms():
            most = MAX_WEIGHT if side == "like" else MAX_UNLIKE_WEIGHT
            # Written so that NaN is refused, too.
            if not MIN_WEIGHT <= term.weight <= most:
                raise InvalidArgument(
                    ("blend", side, index, "weight"),
                    f"The weight is {term.weight:g}; a like term weighs {MIN_WEIGHT:g} to "
                    f"{MAX_WEIGHT}, and an unlike term {MIN_WEIGHT:g} to {MAX_UNLIKE_WEIGHT}, "
                    "which leaves it out completely.",
                )

    def terms(self) -> Iterator[tuple[Side, int, WeightedTerm]]:
        """Yield every term with its side and its index there."""
        yield from (("like", index, term) for index, term in enumerate(self.like))
        yield from (("unlike", index, term) for index, term in enumerate(self.unlike))


SearchBy: TypeAlias = "Term | ByBlend | BySearch"


def located_terms(by: Term | ByBlend) -> Iterator[tuple[Location, Term]]:
    """Yield each term of a query with its location in the input."""
    if isinstance(by, ByBlend):
        for side, index, weighted in by.terms():
            yield ("blend", side, index, "term"), weighted.term
    else:
        yield (), by


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which hits of a query are an answer."""

    criteria: ImageFilter = EVERYTHING
    min_relevance: float | None = None
    collapse: Collapse = Collapse.NONE
    exact: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a relevance out of range, and for a search of the trash."""
        if self.criteria.deleted:
            raise InvalidArgument(
                ("filter", "deleted"),
                "Deleted images cannot be searched; list them, and restore those that you want.",
            )
        if self.min_relevance is not None and not 0 <= self.min_relevance <= 1:
            raise InvalidArgument(
                ("min_relevance",),
                f"The minimum relevance is {self.min_relevance:g}; it may be 0 to 1, and 0.5 keeps "
                "the hits that are likely an answer.",
            )
