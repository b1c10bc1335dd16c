"""Duplicates in memory: compares every pair once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import combinations
from operator import mul
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus
from domain.entities.near_duplicates import NEAR_SIMILARITY, Collapse, DuplicatePair, are_near

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from tests.fakes.catalog import MemoryCatalog

# ruff: noqa: SLF001 - this fake reads the catalog's dictionaries as an adapter reads tables


@dataclass
class MemoryDuplicates:
    """Pairs among the images of a catalog."""

    catalog: MemoryCatalog
    compared: set[UUID] = field(default_factory=set)
    found: list[DuplicatePair] = field(default_factory=list)

    async def update(self) -> int:
        images = [image for image in self._comparable() if image.id not in self.compared]
        for image in images:
            earlier = [other for other in self._comparable() if other.id in self.compared]
            self.found += self._alike((other, image) for other in earlier)
            self.compared.add(image.id)
        return len(images)

    async def pairs(self, kind: Collapse) -> Sequence[DuplicatePair]:
        images = self.catalog._images
        return [
            pair
            for pair in self.found
            if pair.one in images and pair.other in images and (pair.exact or _wants_near(kind))
        ]

    async def pairs_among(self, ids: Collection[UUID], kind: Collapse) -> Sequence[DuplicatePair]:
        wanted = [image for image in self._comparable() if image.id in ids]
        found = self._alike(combinations(wanted, 2))
        return [pair for pair in found if pair.exact or _wants_near(kind)]

    async def similarities(self, groups: Sequence[Collection[UUID]]) -> list[float]:
        return [
            min((min(1, self._similarity(*pair)) for pair in combinations(ids, 2)), default=1)
            for ids in groups
        ]

    async def unhashed(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        kept = self.catalog._images | self.catalog._deleted
        images = [kept[id_] for id_ in sorted(kept.keys() - self.catalog.missing)]
        ready = [image for image in images if image.status is ImageStatus.READY]
        without = [image for image in ready if image.perceptual_hash is None]
        return [image for image in without if after is None or image.id > after][:limit]

    async def set_hash(
        self, image_id: UUID, *, perceptual_hash: bytes, pixel_sha256: str | None
    ) -> None:
        catalog = self.catalog
        images = catalog._deleted if image_id in catalog._deleted else catalog._images
        if image_id in images:
            images[image_id] = replace(
                images[image_id], perceptual_hash=perceptual_hash, pixel_sha256=pixel_sha256
            )
            self.compared.discard(image_id)
            self.found = [pair for pair in self.found if image_id not in {pair.one, pair.other}]

    def _comparable(self) -> list[Image]:
        return [
            image
            for image in self.catalog._images.values()
            if image.status is ImageStatus.READY and image.perceptual_hash is not None
        ]

    def _alike(self, pairs: Iterable[tuple[Image, Image]]) -> list[DuplicatePair]:
        found = []
        for one, other in pairs:
            exact = one.pixel_sha256 is not None and one.pixel_sha256 == other.pixel_sha256
            near = (
                are_near(one.perceptual_hash, other.perceptual_hash)
                and self._similarity(one.id, other.id) >= NEAR_SIMILARITY
            )
            if exact or near:
                found.append(DuplicatePair(one.id, other.id, exact))
        return found

    def _similarity(self, one: UUID, other: UUID) -> float:
        return math.fsum(map(mul, self.catalog._embeddings[one], self.catalog._embeddings[other]))


def _wants_near(kind: Collapse) -> bool:
    return kind is not Collapse.EXACT_COPIES
