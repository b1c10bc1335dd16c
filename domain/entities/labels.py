"""Labels for zero-shot classification, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.text import check_text
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


MAX_CANDIDATES = 50

MAX_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """Labels of which each image gets the one that fits. White space around them is dropped."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, candidates: Sequence[str], *, argument: str = "candidates") -> Candidates:
        """Take labels as they were sent. Raises InvalidArgument for one that is none."""
        if not 1 <= len(candidates) <= MAX_CANDIDATES:
            raise InvalidArgument(
                argument, f"{len(candidates)} labels were sent; send 1 to {MAX_CANDIDATES}."
            )
        labels: dict[str, int] = {}
        for place, candidate in enumerate(candidates):
            label = _checked(candidate, argument=f"{argument}.{place}")
            if labels.setdefault(label, place) != place:
                raise InvalidArgument(
                    f"{argument}.{place}", f"The label “{label}” was sent twice; send it once."
                )
        return cls(tuple(labels))


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label, and its share of what speaks for all of them, 0 to 1."""

    label: str
    share: float


LabelRequest: TypeAlias = "tuple[UUID, Candidates]"
"""An image, and what it might show."""


def _checked(candidate: str, *, argument: str) -> str:
    label = " ".join(candidate.split())
    if not label:
        raise InvalidArgument(argument, "A label is blank; give it a word, or leave it out.")
    if len(label) > MAX_LENGTH:
        raise InvalidArgument(
            argument,
            f"The label “{label[:20]}…” has {len(label):,} characters; at most {MAX_LENGTH} fit.",
        )
    check_text(argument, "The label", text=label)
    return label
