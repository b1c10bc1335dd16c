"""Taking pictures in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from domain.concurrency import AdmissionLimit
from domain.entities.images import Image, ImageStatus, Variant, uuid7
from domain.entities.tags import clean_tags
from domain.entities.uploads import UploadedImage, all_outcomes, sha256_of, without_traceback
from domain.errors import Refusal, TooManyFiles
from domain.use_cases.uploads.renditions import store
from domain.use_cases.uploads.reupload import reupload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.entities.uploads import Upload
    from domain.ports import (
        Catalog,
        Clock,
        Encoder,
        Imaging,
        Ingestion,
        Storage,
    )


@dataclass(frozen=True, slots=True)
class UploadImages:
    """Take pictures in and make them findable. The same bytes twice are one image."""

    encoder: Encoder
    imaging: Imaging
    catalog: Catalog
    ingestion: Ingestion
    storage: Storage
    clock: Clock
    max_bytes: int
    max_files: int
    _room: AdmissionLimit = field(default_factory=AdmissionLimit)
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """By digest: the same bytes sent many times at once are worked on once."""

    async def __call__(
        self, uploads: Sequence[Upload], *, tags: Iterable[str] = ()
    ) -> list[UploadedImage | Refusal]:
        """Return what became of each file, in order; one refused file holds up no other.

        ``tags`` are put on every image, also on those that were here already. Raises
        TooManyFiles, and InvalidArgument for a bad tag, before any file is read.
        """
        if len(uploads) > self.max_files:
            raise TooManyFiles(
                f"{len(uploads)} files are too many for one request; send at most {self.max_files}."
            )
        wanted = clean_tags(tags)
        return await all_outcomes(self._take(upload, wanted) for upload in uploads)

    async def _take(self, upload: Upload, tags: tuple[str, ...]) -> UploadedImage | Refusal:
        async with self._room:
            try:
                data = await upload.bytes_within(self.max_bytes)
                sha256 = await sha256_of(data)
                async with self._turns.setdefault(sha256, asyncio.Lock()):
                    known = (await self.catalog.find_by_digest([sha256])).get(sha256)
                    return await self._known(known, data, tags) or await self._new(
                        data, sha256, filename=upload.name, tags=tags
                    )
            except Refusal as refusal:
                return without_traceback(refusal)

    async def _known(
        self, image: Image | None, data: bytes, tags: tuple[str, ...]
    ) -> UploadedImage | None:
        """Return an image that was here already; None when there is none any more."""
        here = image and await reupload(self.catalog, self.storage, image, data, tags=tags)
        return UploadedImage(here, is_duplicate=True) if here else None

    async def _new(
        self, data: bytes, sha256: str, *, filename: str, tags: tuple[str, ...]
    ) -> UploadedImage:
        picture = await self.imaging.decode(data)
        [embedding] = await self.encoder.encode_images([picture.pixels])
        image = Image(
            id=uuid7(),
            filename=filename,
            content_type=picture.content_type,
            byte_size=len(data),
            sha256=sha256,
            created_at=self.clock(),
            status=ImageStatus.PROCESSING,
            tags=tags,
        ).with_picture(picture)
        # Bytes first, row second: a crash between the two leaves bytes that nobody points at,
        # never a row that points at nothing.
        await store(self.storage, image, picture, original=data)
        kept = await self.ingestion.add(image, embedding)
        if kept.id == image.id:
            return UploadedImage(kept, is_duplicate=False)
        await self.storage.delete([variant.key_of(image.id) for variant in Variant])
        return await self._known(kept, data, tags) or await self._new(
            data, sha256, filename=filename, tags=tags
        )
