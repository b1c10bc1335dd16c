"""Random images with duplicates, and the groups that a comparison of all pairs makes of them."""

from __future__ import annotations

from itertools import combinations
from math import cos, sin
from random import Random
from typing import TYPE_CHECKING

from domain.entities.near_duplicates import NEAR_SIMILARITY, Collapse, are_near, oldest_of_group
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image
    from domain.entities.near_duplicates import DuplicatePair

EAST, NORTH = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
EXACT, NEAR = Collapse.EXACT_COPIES, Collapse.NEAR_DUPLICATES


def embedding_at(angle: float) -> Embedding:
    """Return an embedding. The similarity of two is the cosine of the angle between them."""
    return (cos(angle), sin(angle), 0.0)


def groups(pairs: Iterable[DuplicatePair]) -> set[frozenset[UUID]]:
    """Return the connected components of pairs."""
    oldest = oldest_of_group(pairs)
    return {
        frozenset(id_ for id_, its in oldest.items() if its == first)
        for first in set(oldest.values())
    }


def ids_of(*images: Image) -> frozenset[UUID]:
    return frozenset(image.id for image in images)


def random_images(random: Random, *, motifs: int) -> tuple[list[Image], dict[UUID, Embedding]]:
    """Return 120 images of some motifs with their embeddings.

    Some are exact copies, some are changed a little or much, and some have other colours.
    """
    images, embeddings = [], {}
    for number in range(120):
        motif = random.randrange(motifs)
        change = random.choice([0, 0, 8, 16, 40])
        image = image_with(
            perceptual_hash=turned(hash_of(motif), change, seed=number),
            pixel_sha256=f"{motif} {random.choice([0, 0, number])} {change and number}",
        )
        images.append(image)
        # The same pixels have the same embedding.
        embeddings[image.id] = embedding_at(Random(image.pixel_sha256).choice([0, 0, 0.1, 1.5]))
    return images, embeddings


def expected_groups(
    images: Sequence[Image], embeddings: dict[UUID, Embedding], kind: Collapse
) -> set[frozenset[UUID]]:
    """Return the groups that a comparison of each image with each other makes."""
    connected = {image.id: {image.id} for image in images}
    for one, other in combinations(images, 2):
        similarity = sum(
            x * y for x, y in zip(embeddings[one.id], embeddings[other.id], strict=True)
        )
        near = are_near(one.perceptual_hash, other.perceptual_hash)
        near = kind is NEAR and near and similarity >= NEAR_SIMILARITY
        if near or one.pixel_sha256 == other.pixel_sha256:
            merged = connected[one.id] | connected[other.id]
            for id_ in merged:
                connected[id_] = merged
    return {frozenset(ids) for ids in connected.values() if len(ids) > 1}


def id_of(image: Image) -> UUID:
    return image.id
