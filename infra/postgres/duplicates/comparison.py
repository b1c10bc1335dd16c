"""Compares new images with all others, in time linear in their number however many are alike.

An image with the pixels or the hash of an earlier one is paired with that one alone, which is then
its representative. Such pairs connect a group as in a union-find forest. Only representatives are
compared further.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.images import FLAT
from domain.entities.near_duplicates import NEAR_SIMILARITY
from infra.postgres.duplicates.near_hashes import near_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from uuid import UUID

IdPair: TypeAlias = "tuple[UUID, UUID]"
LikenessValues: TypeAlias = "tuple[UUID, UUID, int, float, bool]"
ComparisonValues: TypeAlias = "tuple[UUID, UUID | None, UUID | None]"
MeasureSimilarities: TypeAlias = "Callable[[Sequence[IdPair]], Awaitable[list[float]]]"

MAX_REPRESENTATIVES_PER_HASH = 4
"""With how many representatives of its own hash an image is compared. Further images of that hash
that are like none of them represent themselves."""

MAX_CANDIDATES_PER_IMAGE = 128
"""How many images with the nearest hashes a representative is compared with."""

MAX_PAIRS_PER_IMAGE = 16
"""How many pairs with earlier images a representative gets. More than one, so that its group stays
connected when some of its images are deleted."""


@dataclass(frozen=True, slots=True)
class HashedImage:
    """An image that can be compared."""

    id: UUID
    perceptual_hash: bytes
    pixel_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Representatives:
    """Images that were compared before and represent themselves, with their hashes concatenated."""

    ids: Sequence[UUID] = ()
    hashes: bytes = b""


@dataclass(frozen=True, slots=True)
class FirstCopy:
    """The first image of some pixels, and its representative, which can be itself."""

    id: UUID
    representative_id: UUID


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """A pair of duplicates with their Hamming distance and cosine similarity."""

    image_id: UUID
    other_id: UUID
    distance: int
    similarity: float
    exact: bool


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The pairs of new images, and how each new image was compared."""

    pairs: list[MeasuredPair] = field(default_factory=list)
    representatives: dict[UUID, UUID | None] = field(default_factory=dict)
    """The representative of every new image, or None where it represents itself."""
    copy_of: dict[UUID, UUID] = field(default_factory=dict)
    """The first copy of every new image that is an exact copy."""

    def images(self) -> list[UUID]:
        """Return all images that the result refers to."""
        ids = {id_ for pair in self.pairs for id_ in (pair.image_id, pair.other_id)}
        return [*ids.union(self.representatives, filter(None, self.representatives.values()))]

    def rows(
        self, existing: AbstractSet[UUID]
    ) -> tuple[list[LikenessValues], list[ComparisonValues]]:
        """Return the rows of the two tables that refer to existing images only."""
        likenesses = [
            (pair.image_id, pair.other_id, pair.distance, pair.similarity, pair.exact)
            for pair in self.pairs
            if pair.image_id in existing and pair.other_id in existing
        ]
        comparisons = [
            (image_id, representative_id, self.copy_of.get(image_id))
            for image_id, representative_id in self.representatives.items()
            if {image_id, representative_id, self.copy_of.get(image_id)} - {None} <= existing
        ]
        return likenesses, comparisons


def pair_exact_copies(
    new: Iterable[HashedImage], first_copies: Mapping[str, FirstCopy]
) -> ComparisonResult:
    """Pair each image with the first of the same pixels.

    ``first_copies`` has those among the images that were compared before, by ``pixel_sha256``.
    """
    result = ComparisonResult()
    firsts = dict(first_copies)
    for image in new:
        result.representatives[image.id] = None
        if image.pixel_sha256 is None:
            continue
        first = firsts.setdefault(image.pixel_sha256, FirstCopy(image.id, image.id))
        if first.id != image.id:
            result.pairs.append(MeasuredPair(first.id, image.id, 0, 1, exact=True))
            result.representatives[image.id] = first.representative_id
            result.copy_of[image.id] = first.id
    return result


async def compare(
    new: Sequence[HashedImage],
    earlier: Representatives,
    *,
    first_copies: Mapping[str, FirstCopy],
    measure: MeasureSimilarities,
) -> ComparisonResult:
    """Compare new images with each other and with the representatives of earlier ones.

    ``measure`` returns the cosine similarities of pairs. Everything else runs in a thread.
    """
    steps = _steps(new, earlier, first_copies)
    step = await asyncio.to_thread(next, steps)
    while not isinstance(step, ComparisonResult):
        step = await asyncio.to_thread(steps.send, await measure(step))
    return step


def _steps(
    new: Sequence[HashedImage], earlier: Representatives, first_copies: Mapping[str, FirstCopy]
) -> Generator[list[IdPair] | ComparisonResult, list[float]]:
    """Yield pairs, to be sent their similarities, and the result at last."""
    result = pair_exact_copies(new, first_copies)
    comparable = [
        image
        for image in new
        if result.representatives[image.id] is None and image.perceptual_hash != FLAT
    ]
    comparable = yield from _pair_equal_hashes(comparable, earlier, result)
    _compress_paths(result.representatives)
    yield from _pair_near_hashes(comparable, earlier, result)
    yield result


def _compress_paths(representatives: dict[UUID, UUID | None]) -> None:
    """Replace a representative that has one itself by that (path compression).

    In a chain of three, the two that are left after the deletion of the root could become each
    other's representatives, and would never be compared again.
    """
    for image_id, representative_id in representatives.items():
        if representative_id is not None:
            representatives[image_id] = representatives.get(representative_id) or representative_id


def _pair_equal_hashes(
    new: Sequence[HashedImage], earlier: Representatives, result: ComparisonResult
) -> Generator[list[IdPair], list[float], list[HashedImage]]:
    """Pair images with a representative of the same hash. Return those that are like none."""
    by_hash: dict[bytes, list[UUID]] = {image.perceptual_hash: [] for image in new}
    for index, image_id in enumerate(earlier.ids):
        perceptual_hash = earlier.hashes[index * len(FLAT) : (index + 1) * len(FLAT)]
        if perceptual_hash in by_hash:
            by_hash[perceptual_hash].append(image_id)
    unlike: list[HashedImage] = []
    for index in range(MAX_REPRESENTATIVES_PER_HASH):
        candidates: list[tuple[UUID, HashedImage]] = []
        for image in new:
            representatives = by_hash[image.perceptual_hash]
            if len(representatives) > index:
                candidates.append((representatives[index], image))
            else:
                representatives.append(image.id)
                unlike.append(image)
        similarities = yield [
            (representative_id, image.id) for representative_id, image in candidates
        ]
        new = []
        for (representative_id, image), similarity in zip(candidates, similarities, strict=True):
            if similarity >= NEAR_SIMILARITY:
                result.pairs.append(
                    MeasuredPair(representative_id, image.id, 0, similarity, exact=False)
                )
                result.representatives[image.id] = representative_id
            else:
                new.append(image)
    return [*unlike, *new]


def _pair_near_hashes(
    new: Sequence[HashedImage], earlier: Representatives, result: ComparisonResult
) -> Generator[list[IdPair], list[float]]:
    """Pair images with the nearest earlier ones, by Hamming distance and then by similarity."""
    ids = [*earlier.ids, *(image.id for image in new)]
    hashes = earlier.hashes + b"".join(image.perceptual_hash for image in new)
    found = near_pairs(hashes, known=len(earlier.ids))
    candidates: list[tuple[IdPair, int]] = []
    candidate_counts: defaultdict[int, int] = defaultdict(int)
    for later_index, earlier_index, distance in zip(
        *(array.tolist() for array in found), strict=True
    ):
        candidate_counts[later_index] += 1
        if candidate_counts[later_index] <= MAX_CANDIDATES_PER_IMAGE:
            candidates.append(((ids[earlier_index], ids[later_index]), distance))
    similarities = yield [pair for pair, _ in candidates]
    pair_counts: defaultdict[UUID, int] = defaultdict(int)
    for ((one, other), distance), similarity in zip(candidates, similarities, strict=True):
        if similarity >= NEAR_SIMILARITY and pair_counts[other] < MAX_PAIRS_PER_IMAGE:
            pair_counts[other] += 1
            result.pairs.append(MeasuredPair(one, other, distance, similarity, exact=False))
