"""A catalog and a storage that let a test act right before and after each call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image


@dataclass
class Interleaving:
    """Runs actions at points like "before add", and yields to other tasks at random."""

    actions: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    """What to do at a point, the first time that a call passes it."""
    random: Random = field(default_factory=Random)

    async def __call__(self, point: str) -> None:
        if action := self.actions.pop(point, None):
            await action()
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)


class InterleavedCatalog(MemoryCatalog):
    """A catalog whose calls pass points."""

    def __init__(self, interleaving: Interleaving) -> None:
        super().__init__()
        self._interleaving = interleaving

    async def find_by_digest(self, sha256s: Sequence[str]) -> dict[str, Image]:
        await self._interleaving("before find_by_digest")
        found = await super().find_by_digest(sha256s)
        await self._interleaving("after find_by_digest")
        return found

    async def add(self, image: Image, embedding: Embedding) -> Image:
        await self._interleaving("before add")
        added = await super().add(image, embedding)
        await self._interleaving("after add")
        return added

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        await self._interleaving("before tag")
        tagged = await super().tag(ids, add=add, remove=remove)
        await self._interleaving("after tag")
        return tagged

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        await self._interleaving("before delete")
        deleted = await super().delete(ids)
        await self._interleaving("after delete")
        return deleted


class InterleavedStorage(MemoryStorage):
    """A storage whose calls pass points."""

    def __init__(self, interleaving: Interleaving) -> None:
        super().__init__()
        self._interleaving = interleaving

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        variant = key.rpartition("/")[2]
        await self._interleaving(f"before write {variant}")
        await super().write(key, data, content_type=content_type)
        await self._interleaving(f"after write {variant}")

    async def delete(self, keys: Iterable[str]) -> None:
        await self._interleaving("before delete bytes")
        await super().delete(keys)
        await self._interleaving("after delete bytes")
