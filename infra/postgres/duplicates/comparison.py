"""Finds the links between new images and all: linear in number, however many are alike."""

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

Pair: TypeAlias = "tuple[UUID, UUID]"
LikenessRow: TypeAlias = "tuple[UUID, UUID, int, float, bool]"
ComparisonRow: TypeAlias = "tuple[UUID, UUID | None, UUID | None]"
Similarities: TypeAlias = "Callable[[Sequence[Pair]], Awaitable[list[float]]]"

TURNS = 4
"""How many pictures of one hash that are not alike are told apart; then each is for itself."""

CANDIDATES = 128
"""How many of those with the nearest hashes an image is compared with."""

LINKS = 16
"""How many links to the nearest an image gets: the group stays one when some of it are deleted."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """An image that can be compared."""

    id: UUID
    perceptual_hash: bytes
    pixel_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Images that were compared and go through no other, with their hashes one after another."""

    ids: Sequence[UUID] = ()
    hashes: bytes = b""


@dataclass(frozen=True, slots=True)
class Copy:
    """The first of the same pixels, and the one through which it was compared: itself at best."""

    id: UUID
    through: UUID


@dataclass(frozen=True, slots=True)
class Likeness:
    """A link, and what it stands on."""

    image_id: UUID
    other_id: UUID
    distance: int
    similarity: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing found.

    ``through`` has every new image, with the one through which it is linked to all that are like
    it: a copy needs no links of its own. None for an image that was compared itself. ``copy_of``
    has the copies, with those that they were linked to as such.
    """

    likenesses: list[Likeness] = field(default_factory=list)
    through: dict[UUID, UUID | None] = field(default_factory=dict)
    copy_of: dict[UUID, UUID] = field(default_factory=dict)

    def images(self) -> list[UUID]:
        """Return all images that were compared or linked."""
        ids = {id_ for link in self.likenesses for id_ in (link.image_id, link.other_id)}
        return [*ids.union(self.through, filter(None, self.through.values()))]

    def rows(self, here: AbstractSet[UUID]) -> tuple[list[LikenessRow], list[ComparisonRow]]:
        """Return what there is to keep where only some images are still here."""
        likenesses = [
            (link.image_id, link.other_id, link.distance, link.similarity, link.exact)
            for link in self.likenesses
            if link.image_id in here and link.other_id in here
        ]
        comparisons = [
            (image_id, through, self.copy_of.get(image_id))
            for image_id, through in self.through.items()
            if {image_id, through, self.copy_of.get(image_id)} - {None} <= here
        ]
        return likenesses, comparisons


def link_copies(new: Iterable[Hashed], copies: Mapping[str, Copy]) -> Compared:
    """Link each image to the first of the same pixels; ``copies`` has those of earlier images."""
    compared = Compared()
    first = dict(copies)
    for image in new:
        compared.through[image.id] = None
        if image.pixel_sha256 is None:
            continue
        original = first.setdefault(image.pixel_sha256, Copy(image.id, image.id))
        if original.id != image.id:
            compared.likenesses.append(Likeness(original.id, image.id, 0, 1, exact=True))
            compared.through[image.id] = original.through
            compared.copy_of[image.id] = original.id
    return compared


async def compare(
    new: Sequence[Hashed],
    known: Known,
    *,
    copies: Mapping[str, Copy],
    similarities: Similarities,
) -> Compared:
    """Compare new images with each other and with those that are known and go through no other.

    All but the similarities is worked out in a thread.
    """
    steps = _steps(new, known, copies)
    step = await asyncio.to_thread(next, steps)
    while not isinstance(step, Compared):
        step = await asyncio.to_thread(steps.send, await similarities(step))
    return step


def _steps(
    new: Sequence[Hashed], known: Known, copies: Mapping[str, Copy]
) -> Generator[list[Pair] | Compared, list[float]]:
    """Yield pairs, to be sent their similarities, and at last what was found."""
    compared = link_copies(new, copies)
    itself = [
        image
        for image in new
        if compared.through[image.id] is None and image.perceptual_hash != FLAT
    ]
    itself = yield from _link_equals(itself, known, compared)
    _go_through_roots(compared.through)
    yield from _link_near(itself, known, compared)
    yield compared


def _go_through_roots(through: dict[UUID, UUID | None]) -> None:
    """Let copies of what goes through another go through that.

    In a chain, the two would go through each other once that one is deleted, and never be compared
    again.
    """
    for image_id, other in through.items():
        if other is not None:
            through[image_id] = through.get(other) or other


def _link_equals(
    new: Sequence[Hashed], known: Known, compared: Compared
) -> Generator[list[Pair], list[float], list[Hashed]]:
    """Link images of one hash in a star, and return those that are the first of their kind."""
    firsts: dict[bytes, list[UUID]] = {image.perceptual_hash: [] for image in new}
    for place, image_id in enumerate(known.ids):
        perceptual_hash = known.hashes[place * len(FLAT) : (place + 1) * len(FLAT)]
        if perceptual_hash in firsts:
            firsts[perceptual_hash].append(image_id)
    themselves: list[Hashed] = []
    for turn in range(TURNS):
        asked: list[tuple[UUID, Hashed]] = []
        for image in new:
            same = firsts[image.perceptual_hash]
            if len(same) > turn:
                asked.append((same[turn], image))
            else:
                same.append(image.id)
                themselves.append(image)
        measured = yield [(first, image.id) for first, image in asked]
        new = []
        for (first, image), similarity in zip(asked, measured, strict=True):
            if similarity >= NEAR_SIMILARITY:
                compared.likenesses.append(Likeness(first, image.id, 0, similarity, exact=False))
                compared.through[image.id] = first
            else:
                new.append(image)
    return [*themselves, *new]


def _link_near(
    new: Sequence[Hashed], known: Known, compared: Compared
) -> Generator[list[Pair], list[float]]:
    ids = [*known.ids, *(image.id for image in new)]
    hashes = known.hashes + b"".join(image.perceptual_hash for image in new)
    found = near_pairs(hashes, known=len(known.ids))
    candidates: list[tuple[Pair, int]] = []
    asked: defaultdict[int, int] = defaultdict(int)
    for later, earlier, distance in zip(*(array.tolist() for array in found), strict=True):
        asked[later] += 1
        if asked[later] <= CANDIDATES:
            candidates.append(((ids[earlier], ids[later]), distance))
    measured = yield [pair for pair, _ in candidates]
    linked: defaultdict[UUID, int] = defaultdict(int)
    for ((one, other), distance), similarity in zip(candidates, measured, strict=True):
        if similarity >= NEAR_SIMILARITY and linked[other] < LINKS:
            linked[other] += 1
            compared.likenesses.append(Likeness(one, other, distance, similarity, exact=False))
