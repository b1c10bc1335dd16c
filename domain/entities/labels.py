"""Candidate labels of a zero-shot classification, and the scores that images get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.text import check_text
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.errors import Location

MAX_CANDIDATES = 50
MAX_LABEL_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """Labels to classify images by, without duplicates and surrounding white space."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, candidates: Sequence[str]) -> Candidates:
        """Validate labels as they were sent. Raises InvalidArgument."""
        if not 1 <= len(candidates) <= MAX_CANDIDATES:
            raise InvalidArgument(
                ("candidates",),
                f"{len(candidates)} labels were sent; send 1 to {MAX_CANDIDATES}.",
            )
        labels: dict[str, int] = {}
        for index, candidate in enumerate(candidates):
            location = ("candidates", index)
            label = _checked(candidate, location)
            if labels.setdefault(label, index) != index:
                raise InvalidArgument(
                    location, f"The label “{label}” was sent twice; send it once."
                )
        return cls(tuple(labels))


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label and its share of the softmax over all candidates, 0 to 1."""

    label: str
    share: float


LabelRequest: TypeAlias = "tuple[UUID, Candidates]"
"""An image, and the labels to classify it by."""


def _checked(candidate: str, location: Location) -> str:
    label = " ".join(candidate.split())
    if not label:
        raise InvalidArgument(location, "A label is blank; give it a word, or leave it out.")
    if len(label) > MAX_LABEL_CHARACTERS:
        raise InvalidArgument(
            location,
            f"The label “{label[:20]}…” has {len(label):,} characters; at most "
            f"{MAX_LABEL_CHARACTERS} fit.",
        )
    check_text(location, "The label", text=label)
    return label
