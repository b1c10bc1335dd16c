"""Near duplicates: pairs of images that are alike, and the groups that they form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.entities.images import FLAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Hit

NEAR_DISTANCE = 31
"""The largest Hamming distance between the perceptual hashes of near duplicates, of 256 bits. PDQ
(Facebook, 2019) recommends the same. Measured: at most 30 after cropping a picture by 2 %, and at
least 88 between different pictures."""

NEAR_SIMILARITY = 0.9
"""The smallest cosine similarity of near duplicates. The hash is the stricter condition; this one
separates pictures that have the same shapes in other colours."""


class Collapse(StrEnum):
    """Which images count as one.

    EXACT_COPIES have the same pixels in different bytes. NEAR_DUPLICATES include them, and are
    alike in perceptual hash and embedding: re-encoded, reduced, brightened or slightly cropped.
    """

    NONE = "none"
    """Every image is apart."""
    EXACT_COPIES = "exact_copies"
    """Images with the same pixels, in different bytes."""
    NEAR_DUPLICATES = "near_duplicates"
    """Also images that look nearly the same: re-encoded, reduced, brightened or slightly cropped.
    """


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two images that are alike. ``exact`` means that all pixels are equal."""

    one: UUID
    other: UUID
    exact: bool


def hamming(one: bytes, other: bytes) -> int:
    """Return the number of bits in which two hashes differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def are_near(one: bytes | None, other: bytes | None) -> bool:
    """Return whether two perceptual hashes are within NEAR_DISTANCE. FLAT is near no hash."""
    if one in (None, FLAT) or other in (None, FLAT):
        return False
    return hamming(one or FLAT, other or FLAT) <= NEAR_DISTANCE


def oldest_of_group(pairs: Iterable[DuplicatePair]) -> dict[UUID, UUID]:
    """Return for each image of a pair the oldest image of its connected group.

    Union-find with path halving (Galler & Fischer, 1964). Ids grow with time, so the oldest image
    has the smallest id.
    """
    parents: dict[UUID, UUID] = {}

    def oldest(image_id: UUID) -> UUID:
        while (parent := parents.setdefault(image_id, image_id)) != image_id:
            parents[image_id] = image_id = parents[parent]
        return image_id

    for pair in pairs:
        one, other = sorted((oldest(pair.one), oldest(pair.other)))
        parents[other] = one
    return {image_id: oldest(image_id) for image_id in list(parents)}


@dataclass(frozen=True, slots=True)
class CollapsedHit:
    """The best hit of a group, and the number of hits in the group."""

    hit: Hit
    count: int


def collapsed(hits: Sequence[Hit], pairs: Iterable[DuplicatePair]) -> tuple[CollapsedHit, ...]:
    """Return the best hit of each group. ``hits`` are sorted best first, and so is the result."""
    oldest = oldest_of_group(pairs)
    best: dict[UUID, Hit] = {}
    counts: dict[UUID, int] = {}
    for hit in hits:
        group = oldest.get(hit.image_id, hit.image_id)
        best.setdefault(group, hit)
        counts[group] = counts.get(group, 0) + 1
    return tuple(CollapsedHit(hit, counts[group]) for group, hit in best.items())
