"""Which images are the same picture, or nearly, and what groups that makes of them."""

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
"""Bits of 256 in which the perceptual hashes of near duplicates differ at most. PDQ (Facebook,
2019) advises the same. Measured: a picture that lost 2 % of its sides differs in 30 at most, two
pictures in 88 at least."""

NEAR_SIMILARITY = 0.9
"""The least cosine similarity of near duplicates. The hash is the stricter of the two: this
parts what has the same shapes in other colours."""


class Collapse(StrEnum):
    """Which images count as one.

    EXACT_COPIES show the same pixels in other bytes. NEAR_DUPLICATES, these among them, are alike
    in perceptual hash and embedding: re-encoded, reduced, brightened or slightly cropped.
    """

    NONE = "none"
    EXACT_COPIES = "exact_copies"
    NEAR_DUPLICATES = "near_duplicates"


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two images that are alike; ``exact`` when they are so pixel by pixel."""

    one: UUID
    other: UUID
    exact: bool


def hamming(one: bytes, other: bytes) -> int:
    """Return in how many bits two hashes differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def are_near(one: bytes | None, other: bytes | None) -> bool:
    """Tell whether two perceptual hashes are close enough; what is flat is close to nothing."""
    if one in (None, FLAT) or other in (None, FLAT):
        return False
    return hamming(one or FLAT, other or FLAT) <= NEAR_DISTANCE


def oldest_of_group(links: Iterable[DuplicatePair]) -> dict[UUID, UUID]:
    """Return the oldest image of its group for each that is linked, over however many links.

    Ids grow with time, so the oldest has the smallest. (Disjoint sets, Galler & Fischer 1964.)
    """
    above: dict[UUID, UUID] = {}

    def oldest(image_id: UUID) -> UUID:
        while (parent := above.setdefault(image_id, image_id)) != image_id:
            above[image_id] = image_id = above[parent]
        return image_id

    for link in links:
        one, other = sorted((oldest(link.one), oldest(link.other)))
        above[other] = one
    return {image_id: oldest(image_id) for image_id in list(above)}


@dataclass(frozen=True, slots=True)
class CollapsedHit:
    """The best hit of a group, and how many hits it stands for, itself among them."""

    hit: Hit
    count: int


def collapsed(hits: Sequence[Hit], links: Iterable[DuplicatePair]) -> tuple[CollapsedHit, ...]:
    """Return the best hit of each group, in the order of ``hits``, which has the best first."""
    oldest = oldest_of_group(links)
    best: dict[UUID, Hit] = {}
    counts: dict[UUID, int] = {}
    for hit in hits:
        group = oldest.get(hit.image_id, hit.image_id)
        best.setdefault(group, hit)
        counts[group] = counts.get(group, 0) + 1
    return tuple(CollapsedHit(hit, counts[group]) for group, hit in best.items())
