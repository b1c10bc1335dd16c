"""Uploads pictures through this server."""

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
from domain.use_cases.uploads.decode_and_embed import decode_and_embed
from domain.use_cases.uploads.renditions import store
from domain.use_cases.uploads.reupload import reupload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Picture, Pixels
    from domain.entities.uploads import Upload
    from domain.ports import Catalog, Clock, Encoder, Imaging, Ingestion, Storage, Trash


@dataclass(frozen=True, slots=True)
class UploadImages:
    """Stores pictures and makes them findable. The same bytes twice are one image.

    Of bytes that a direct upload left PROCESSING, the image is indexed here: no worker is awaited.
    """

    encoder: Encoder
    imaging: Imaging
    catalog: Catalog
    trash: Trash
    ingestion: Ingestion
    storage: Storage
    clock: Clock
    max_bytes: int
    max_files: int
    _admission: AdmissionLimit = field(default_factory=AdmissionLimit)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """By digest: concurrent uploads of the same bytes are decoded and encoded once."""

    async def __call__(
        self, uploads: Sequence[Upload], *, tags: Iterable[str] = ()
    ) -> list[UploadedImage | Refusal]:
        """Return an image or a refusal for each file, in order.

        ``tags`` are added to every image, also to those that existed before. Raises TooManyFiles,
        and InvalidArgument for an invalid tag, before any file is read.
        """
        if len(uploads) > self.max_files:
            raise TooManyFiles(
                f"{len(uploads)} files are too many for one request; send at most {self.max_files}."
            )
        cleaned = clean_tags(tags)
        return await all_outcomes(self._outcome(upload, cleaned) for upload in uploads)

    async def _outcome(self, upload: Upload, tags: tuple[str, ...]) -> UploadedImage | Refusal:
        async with self._admission:
            try:
                data = await upload.bytes_within(self.max_bytes)
                sha256 = await sha256_of(data)
                async with self._locks.setdefault(sha256, asyncio.Lock()):
                    existing = (await self.catalog.find_by_digest([sha256])).get(sha256)
                    return await self._existing(existing, data, tags) or await self._insert(
                        data, sha256, filename=upload.name, tags=tags
                    )
            except Refusal as refusal:
                return without_traceback(refusal)

    async def _existing(
        self, existing: Image | None, data: bytes, tags: tuple[str, ...]
    ) -> UploadedImage | None:
        """Return the existing image with the tags, or None if it does not exist any more."""
        image = existing and await self._reupload(existing, data, tags)
        if image and image.status is ImageStatus.PROCESSING:
            image = await self._index(image, data)
        return UploadedImage.again(existing, image) if existing and image else None

    async def _reupload(self, image: Image, data: bytes, tags: tuple[str, ...]) -> Image | None:
        return await reupload(self.catalog, self.trash, self.storage, image, data, tags=tags)

    async def _index(self, image: Image, data: bytes) -> Image | None:
        """Index an image that waits for a worker; return None if it does not exist any more."""
        picture, embedding = await self._decode_and_embed(data)
        await store(self.storage, image, picture)
        await self.ingestion.make_ready(image.with_picture(picture), embedding)
        indexed = (await self.catalog.get([image.id])).get(image.id)
        if indexed is None:
            # An image that was moved into the trash meanwhile keeps its bytes.
            if not await self.catalog.existing_ids([image.id]):
                await self.storage.delete(Variant.keys_of([image.id]))
        elif indexed.is_replaceable:
            # The worker had failed meanwhile.
            return await self._reupload(indexed, data, ())
        return indexed

    async def _decode_and_embed(self, data: bytes) -> tuple[Picture, Embedding]:
        async def embed(pixels: Pixels) -> Embedding:
            [embedding] = await self.encoder.encode_images([pixels])
            return embedding

        # The original is stored here, so that LARGE can be rendered of it.
        return await decode_and_embed(self.imaging, embed, data, with_large=False)

    async def _insert(
        self, data: bytes, sha256: str, *, filename: str, tags: tuple[str, ...]
    ) -> UploadedImage:
        picture, embedding = await self._decode_and_embed(data)
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
        # Bytes first, row second: a crash between the two leaves bytes that a sweep collects, never
        # a row without bytes.
        await store(self.storage, image, picture, original=data)
        added = await self.ingestion.add(image, embedding)
        if added.id == image.id:
            return UploadedImage(added, is_duplicate=False, added_tags=tags)
        # A lost race: another server added the same bytes first.
        await self.storage.delete(Variant.keys_of([image.id]))
        return await self._existing(added, data, tags) or await self._insert(
            data, sha256, filename=filename, tags=tags
        )
