"""Found objects in memory, over the work in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.images import ImageStatus
from domain.objects import KnownObject, ObjectState, RefusedObject
from tests.fakes.work import NEVER, MemoryWork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.images import Image
    from domain.objects import Stretch
    from domain.work import FoundObject


@dataclass
class MemoryObjects:
    """The objects of which ``work`` knows."""

    work: MemoryWork = field(default_factory=MemoryWork)

    async def known(self, stretch: Stretch, *, after: str, limit: int) -> Sequence[KnownObject]:
        found = await self.find([each for each in self._within(stretch) if each > after])
        return [found[location] for location in sorted(found)][:limit]

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        here = {each.source.location: each for each in self.work.objects.values()}
        return {
            location: KnownObject(
                here[location].id, here[location].source, await self._state(here[location].id)
            )
            for location in locations
            if location in here
        }

    async def write_down(
        self, found: Sequence[FoundObject], *, in_place_of: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        deleted = await self.forget(in_place_of)
        here = {each.source.location for each in self.work.objects.values()}
        for each in found:
            if each.source.location not in here:
                self.work.write_down(each)
        return deleted

    async def forget(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        images: set[UUID] = set()
        locations: set[str] = set()
        for id_ in ids:
            if (each := self.work.objects.pop(id_, None)) is None:
                continue
            locations.add(each.source.location)
            self.work.refused.pop(id_, None)
            if image_id := self.work.became.pop(id_, None):
                images.add(image_id)
            if not await self._image(id_):
                self.work.entries.pop(id_, None)
        deleted: list[UUID] = []
        for image_id in images:
            image = await self._image(image_id)
            if image is None or image.source is None or image.source.location not in locations:
                continue
            heirs = [id_ for id_, became in self.work.became.items() if became == image_id]
            if heirs:
                heir = min(
                    (self.work.objects[id_].source for id_ in heirs), key=lambda s: s.location
                )
                self.work.catalog.put(replace(image, source=heir))
            else:
                deleted += await self.work.catalog.delete([image_id])
        return deleted

    async def hand_over(self, stretch: Stretch) -> None:
        """Do nothing: there is but one model's work."""

    async def count_waiting(self, stretch: Stretch) -> int:
        states = [each.state for each in await self.known(stretch, after="", limit=10**9)]
        return states.count(ObjectState.WAITING)

    async def refused(self, stretch: Stretch, *, limit: int) -> tuple[int, Sequence[RefusedObject]]:
        refused = [
            RefusedObject(each.source.location, await self._reason(each.id))
            for each in await self.known(stretch, after="", limit=10**9)
            if each.state is ObjectState.REFUSED
        ]
        return len(refused), refused[:limit]

    def _within(self, stretch: Stretch) -> list[str]:
        objects = self.work.objects.values()
        return [each.source.location for each in objects if each.source.location in stretch]

    async def _state(self, id_: UUID) -> ObjectState:
        if image := await self._image(self.work.became.get(id_)):
            failed = image.status is ImageStatus.FAILED
            return ObjectState.REFUSED if failed else ObjectState.INDEXED
        if id_ in self.work.refused:
            return ObjectState.REFUSED
        if entry := self.work.entries.get(id_):
            return ObjectState.REFUSED if entry.due_at == NEVER else ObjectState.WAITING
        return ObjectState.DELETED

    async def _reason(self, id_: UUID) -> str:
        if image := await self._image(self.work.became.get(id_)):
            return image.failure_reason or ""
        return self.work.refused.get(id_) or self.work.entries[id_].error or ""

    async def _image(self, image_id: UUID | None) -> Image | None:
        return (await self.work.catalog.get([image_id])).get(image_id) if image_id else None
