"""External objects in memory, over the work queue in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.entities.external_objects import KnownObject, ObjectState, RefusedObject
from domain.entities.images import ImageStatus
from tests.fakes.work_queue import NEVER, MemoryWorkQueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.external_objects import KeyRange
    from domain.entities.images import Image
    from domain.entities.work import FoundObject


@dataclass
class MemoryExternalObjects:
    """The external objects of a work queue."""

    work_queue: MemoryWorkQueue = field(default_factory=MemoryWorkQueue)

    async def list_known(
        self, key_range: KeyRange, *, after: str, limit: int
    ) -> Sequence[KnownObject]:
        found = await self.find([each for each in self._within(key_range) if each > after])
        return [found[location] for location in sorted(found)][:limit]

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        known = {each.source.location: each for each in self.work_queue.objects.values()}
        return {
            location: KnownObject(
                known[location].id, known[location].source, await self._state(known[location].id)
            )
            for location in locations
            if location in known
        }

    async def add(
        self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        deleted = await self.delete(replacing)
        known = {each.source.location for each in self.work_queue.objects.values()}
        for each in found:
            if each.source.location not in known:
                self.work_queue.add(each)
        return deleted

    async def delete(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        images: set[UUID] = set()
        locations: set[str] = set()
        for id_ in ids:
            if (each := self.work_queue.objects.pop(id_, None)) is None:
                continue
            locations.add(each.source.location)
            self.work_queue.refused.pop(id_, None)
            if image_id := self.work_queue.became.pop(id_, None):
                images.add(image_id)
            if not await self._image(id_):
                self.work_queue.entries.pop(id_, None)
        deleted: list[UUID] = []
        for image_id in images:
            image = await self._image(image_id)
            if image is None or image.source is None or image.source.location not in locations:
                continue
            others = [id_ for id_, became in self.work_queue.became.items() if became == image_id]
            if others:
                source = min(
                    (self.work_queue.objects[id_].source for id_ in others),
                    key=lambda s: s.location,
                )
                self.work_queue.catalog.put(replace(image, source=source))
            else:
                deleted += await self.work_queue.catalog.delete([image_id])
        return deleted

    async def reassign(self, key_range: KeyRange) -> None:
        """Do nothing: all tasks belong to one model."""

    async def count_waiting(self, key_range: KeyRange) -> int:
        states = [each.state for each in await self.list_known(key_range, after="", limit=10**9)]
        return states.count(ObjectState.WAITING)

    async def refused(
        self, key_range: KeyRange, *, limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        refused = [
            RefusedObject(each.source.location, await self._reason(each.id))
            for each in await self.list_known(key_range, after="", limit=10**9)
            if each.state is ObjectState.REFUSED
        ]
        return len(refused), refused[:limit]

    def _within(self, key_range: KeyRange) -> list[str]:
        objects = self.work_queue.objects.values()
        return [each.source.location for each in objects if each.source.location in key_range]

    async def _state(self, id_: UUID) -> ObjectState:
        if image := await self._image(self.work_queue.became.get(id_)):
            failed = image.status is ImageStatus.FAILED
            return ObjectState.REFUSED if failed else ObjectState.INDEXED
        if id_ in self.work_queue.refused:
            return ObjectState.REFUSED
        if entry := self.work_queue.entries.get(id_):
            return ObjectState.REFUSED if entry.due_at == NEVER else ObjectState.WAITING
        return ObjectState.DELETED

    async def _reason(self, id_: UUID) -> str:
        if image := await self._image(self.work_queue.became.get(id_)):
            return image.failure_reason or ""
        return self.work_queue.refused.get(id_) or self.work_queue.entries[id_].error or ""

    async def _image(self, image_id: UUID | None) -> Image | None:
        return (await self.work_queue.catalog.get([image_id])).get(image_id) if image_id else None
