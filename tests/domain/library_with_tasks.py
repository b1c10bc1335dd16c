"""A library with tasks in its work queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.entities.images import Image, ImageStatus, Source, Variant, uuid7
from domain.entities.uploads import sha256_of
from domain.entities.work import FoundObject
from tests.fakes.encoder import COLOURS
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from uuid import UUID

    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.external_files import MemoryExternalFiles
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work_queue import MemoryWorkQueue

RED = picture_file(COLOURS["red"])


class LibraryWithTasks:
    """Adds images and external objects together with their tasks."""

    def __init__(
        self,
        catalog: MemoryCatalog,
        storage: MemoryStorage,
        external_files: MemoryExternalFiles,
        work_queue: MemoryWorkQueue,
    ) -> None:
        self.catalog = catalog
        self.storage = storage
        self.external_files = external_files
        self.work_queue = work_queue

    async def add_pending(self, data: bytes = RED) -> Image:
        """Add a PROCESSING image, with its original in storage."""
        image = image_with(
            status=ImageStatus.PROCESSING,
            sha256=await sha256_of(data),
            byte_size=len(data),
            width=None,
            height=None,
        )
        await self.storage.write(
            Variant.ORIGINAL.key_of(image.id), data, content_type=image.content_type
        )
        return await self.catalog.add_pending(image)

    def add_object(self, data: bytes = RED, name: str = "a.png", **facts: object) -> FoundObject:
        """Add an external object with its file."""
        source = Source(f"s3://bucket/{name}", "1")
        self.external_files.files[source] = data
        found = FoundObject(uuid7(), source, len(data), **facts)  # type: ignore[arg-type]  # only tags are passed
        self.work_queue.add(found)
        return found

    async def image(self, image_id: UUID) -> Image:
        return (await self.catalog.get([image_id]))[image_id]
