"""External objects in memory, over the work queue in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.external_objects import (
    ImportCounts,
    KnownObject,
    ObjectState,
    RefusedObject,
)
from domain.entities.images import ImageStatus
from tests.fakes.trash import MemoryTrash
from tests.fakes.work_queue import NEVER, MemoryWorkQueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
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
        wanted = set(locations)
        found: dict[str, KnownObject] = {}
        # The object that is present comes last, after those that went missing.
        for id_ in sorted(self.work_queue.objects, key=self._missing_since):
            source = self.work_queue.objects[id_].source
            if source.location in wanted:
                is_missing = id_ in self.work_queue.missing
                found[source.location] = KnownObject(
                    id_, source, await self._state(id_), is_missing
                )
        return found

    async def add(self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()) -> None:
        locations = {each.source.location for each in found}
        unlisted = [
            id_
            for id_, since in self.work_queue.missing.items()
            if since == NEVER and self.work_queue.objects[id_].source.location in locations
        ]
        await self.mark_missing([*replacing, *unlisted])
        here = {
            each.source.location
            for id_, each in self.work_queue.objects.items()
            if id_ not in self.work_queue.missing
        }
        for each in found:
            if each.source.location not in here:
                self.work_queue.add(each)

    async def mark_missing(self, ids: Sequence[UUID], *, is_certain: bool = True) -> None:
        missing = self.work_queue.missing
        images: set[UUID | None] = set()
        for id_ in ids:
            if id_ not in self.work_queue.digests:
                self.work_queue.drop_object(id_)
                self.work_queue.entries.pop(id_, None)
            elif id_ in self.work_queue.objects:
                now = self.work_queue.clock() if is_certain else NEVER
                missing[id_] = min(missing.get(id_, NEVER), now) if is_certain else NEVER
                images.add(self.work_queue.became.get(id_))
        await self.work_queue.settle_sources(image_id for image_id in images if image_id)

    async def mark_present(self, ids: Sequence[UUID]) -> None:
        for id_ in ids:
            self.work_queue.missing.pop(id_, None)
            if image_id := self.work_queue.became.get(id_):
                await self.work_queue.settle_sources([image_id])

    async def count(self, key_range: KeyRange, *, since: UUID) -> ImportCounts:
        queue = self.work_queue
        recognised = missing = unlisted = duplicates = 0
        for id_, found in queue.objects.items():
            if found.source.location not in key_range:
                continue
            if id_ not in queue.missing:
                has_result = id_ in queue.digests
                is_recognised = has_result and id_ >= since and queue.became.get(id_) != id_
                recognised += is_recognised
                duplicates += is_recognised and self._has_other_file(id_)
            elif queue.catalog.kept(queue.became.get(id_)):
                unlisted += queue.missing[id_] == NEVER
                missing += queue.missing[id_] != NEVER
        return ImportCounts(recognised, missing, unlisted, duplicates)

    async def reunite(self, key_range: KeyRange, *, since: UUID) -> Sequence[UUID]:
        queue = self.work_queue
        reunited: list[UUID] = []
        for id_ in list(queue.missing):
            image = queue.catalog.kept(queue.became.get(id_))
            if (
                image is None
                or image.source is None
                or image.status is not ImageStatus.READY
                or queue.objects[id_].source.location not in key_range
                or queue.objects_of(image.id, present=True)
            ):
                continue
            for other in queue.catalog.all():
                is_new = other.id >= since and other.source and other.id != image.id
                is_described = other.alt_text is not None or other.rating is not None
                has_pixels = other.pixel_sha256 and other.pixel_sha256 == image.pixel_sha256
                if is_new and has_pixels and not is_described:
                    object_ids = queue.objects_of(other.id)
                    await queue.catalog.delete([other.id])
                    await queue.take_file(image, other, object_ids)
                    reunited.append(other.id)
                    break
        return reunited

    async def trash(self, key_range: KeyRange, at: datetime) -> Sequence[UUID]:
        queue = self.work_queue
        unlisted = self._unlisted_locations()
        missing: list[UUID] = []
        for image in queue.catalog.all():
            objects = queue.objects_of(image.id)
            locations = {queue.objects[id_].source.location for id_ in objects}
            if (
                image.source
                and objects
                and not queue.objects_of(image.id, present=True)
                and not locations & unlisted
                and any(location in key_range for location in locations)
            ):
                missing.append(image.id)
        return sorted(await MemoryTrash(queue.catalog).add_missing(missing, at))

    async def forget(self, key_range: KeyRange, *, grace_period: timedelta) -> Sequence[UUID]:
        queue = self.work_queue
        images: dict[UUID, Image] = {}
        instant = queue.clock() - grace_period
        unlisted = self._unlisted_locations()
        for id_, since in list(queue.missing.items()):
            location = queue.objects[id_].source.location
            image = queue.catalog.kept(queue.became.get(id_))
            if image is None or since > instant:
                continue
            is_kept = image.source is not None
            if image.id in queue.catalog.missing:
                is_kept = image.deleted_at is None or image.deleted_at > instant
            if location in key_range and location not in unlisted and not is_kept:
                queue.drop_object(id_)
                images[image.id] = image
        forgotten = [
            image.id for image in images.values() if image.source and not queue.objects_of(image.id)
        ]
        await queue.catalog.delete(forgotten)
        return forgotten

    async def reassign(self, key_range: KeyRange) -> None:
        """Do nothing: all tasks belong to one model."""

    async def count_waiting(self, key_range: KeyRange) -> int:
        states = [each.state for each in await self.list_known(key_range, after="", limit=10**9)]
        return states.count(ObjectState.WAITING)

    async def refused(
        self, key_range: KeyRange, *, since: UUID, unfinished: Sequence[UUID], limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        refused = [
            RefusedObject(each.source.location, await self._reason(each.id))
            for each in await self.list_known(key_range, after="", limit=10**9)
            if each.state is ObjectState.REFUSED
            and not each.is_missing
            and (each.id >= since or each.id in unfinished)
        ]
        return len(refused), refused[:limit]

    def _has_other_file(self, id_: UUID) -> bool:
        image = self.work_queue.catalog.kept(self.work_queue.became.get(id_))
        if image is None:
            return False
        return image.source is None or {id_} != set(
            self.work_queue.objects_of(image.id, present=True)
        )

    def _unlisted_locations(self) -> set[str]:
        queue = self.work_queue
        return {
            queue.objects[id_].source.location
            for id_, since in queue.missing.items()
            if since == NEVER
        }

    def _within(self, key_range: KeyRange) -> list[str]:
        objects = self.work_queue.objects.values()
        return [each.source.location for each in objects if each.source.location in key_range]

    async def _state(self, id_: UUID) -> ObjectState:
        if image := self.work_queue.catalog.kept(self.work_queue.became.get(id_)):
            failed = image.status is ImageStatus.FAILED
            return ObjectState.REFUSED if failed else ObjectState.INDEXED
        if id_ in self.work_queue.refused:
            return ObjectState.REFUSED
        if id_ in self.work_queue.digests:
            return ObjectState.DELETED
        if entry := self.work_queue.entries.get(id_):
            return ObjectState.REFUSED if entry.due_at == NEVER else ObjectState.WAITING
        return ObjectState.DELETED

    async def _reason(self, id_: UUID) -> str:
        if image := self.work_queue.catalog.kept(self.work_queue.became.get(id_)):
            return image.failure_reason or ""
        return self.work_queue.refused.get(id_) or self.work_queue.entries[id_].error or ""

    def _missing_since(self, id_: UUID) -> tuple[bool, datetime]:
        since = self.work_queue.missing.get(id_)
        return since is None, since or NEVER
