"""What a search asks for: texts, pictures, blends, and options that narrow the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.filters import EVERYTHING
from domain.entities.near_duplicates import Collapse
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.filters import ImageFilter
    from domain.entities.uploads import Upload


MAX_TERMS = 10
"""How many terms either side of a blend may have."""

MIN_WEIGHT = 0.01

MAX_WEIGHT = 100


@dataclass(frozen=True, slots=True)
class ByText:
    """Look for what a text describes."""

    text: str


@dataclass(frozen=True, slots=True)
class ByUpload:
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


Term: TypeAlias = "ByText | ByUpload | ByImage"
"""What can stand alone or in a blend."""


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """A term of a blend, and how much it counts beside the others."""

    term: Term
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ByBlend:
    """Look for several things at once, and leave things out."""

    like: tuple[WeightedTerm, ...]
    unlike: tuple[WeightedTerm, ...] = ()

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
    def terms(self) -> tuple[tuple[str, WeightedTerm], ...]:
        """All terms, each with the name of its argument."""
        return tuple(
            (f"by.blend.{side}.{place}", term)
            for side, terms in (("like", self.like), ("unlike", self.unlike))
            for place, term in enumerate(terms)
        )


SearchBy: TypeAlias = "Term | ByBlend | BySearch"


@dataclass(frozen=True, slots=True)
class SearchOptions:
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
