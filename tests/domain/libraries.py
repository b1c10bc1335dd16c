"""A library with work on it."""

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
    from tests.fakes.sources import MemoryExternalFiles
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work import MemoryWorkQueue

RED = picture_file(COLOURS["red"])


class Library:
    """What there is to work on."""

    def __init__(
        self,
        catalog: MemoryCatalog,
        storage: MemoryStorage,
        sources: MemoryExternalFiles,
        work: MemoryWorkQueue,
    ) -> None:
        self.catalog, self.storage, self.sources, self.work = catalog, storage, sources, work

    async def expect(self, data: bytes = RED) -> Image:
        """Let an image be PROCESSING, its bytes in storage."""
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

    def find(self, data: bytes = RED, name: str = "a.png", **facts: object) -> FoundObject:
        """Let there be an object elsewhere, and work on it."""
        source = Source(f"s3://bucket/{name}", "1")
        self.sources.objects[source] = data
        found = FoundObject(uuid7(), source, len(data), **facts)  # type: ignore[arg-type]  # tags alone
        self.work.add(found)
        return found

    async def image(self, image_id: UUID) -> Image:
        return (await self.catalog.get([image_id]))[image_id]
