"""A catalog and a storage that let a test step in just before and just after each call."""

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
class Moments:
    """Moments like "before add" and "after write": each passes with a pause of random length."""

    deeds: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    """What is done at a moment, the first time that it comes."""
    random: Random = field(default_factory=Random)

    async def __call__(self, moment: str) -> None:
        if deed := self.deeds.pop(moment, None):
            await deed()
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)


class MomentousCatalog(MemoryCatalog):
    """A catalog of moments."""

    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self._moments = moments

    async def find_by_digest(self, sha256s: Sequence[str]) -> dict[str, Image]:
        await self._moments("before find_by_digest")
        found = await super().find_by_digest(sha256s)
        await self._moments("after find_by_digest")
        return found

    async def add(self, image: Image, embedding: Embedding) -> Image:
        await self._moments("before add")
        kept = await super().add(image, embedding)
        await self._moments("after add")
        return kept

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        await self._moments("before tag")
        tagged = await super().tag(ids, add=add, remove=remove)
        await self._moments("after tag")
        return tagged

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        await self._moments("before delete")
        deleted = await super().delete(ids)
        await self._moments("after delete")
        return deleted


class MomentousStorage(MemoryStorage):
    """A storage of moments."""

    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self._moments = moments

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        variant = key.rpartition("/")[2]
        await self._moments(f"before write {variant}")
        await super().write(key, data, content_type=content_type)
        await self._moments(f"after write {variant}")

    async def delete(self, keys: Iterable[str]) -> None:
        await self._moments("before forget")
        await super().delete(keys)
        await self._moments("after forget")
