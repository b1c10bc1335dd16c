"""Completes upload targets: makes images of the files that clients sent directly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from domain.concurrency import AdmissionLimit
from domain.entities.images import Image, ImageStatus, Variant, uuid7
from domain.entities.tags import clean_tags
from domain.entities.upload_targets import MAX_TARGETS_PER_CALL
from domain.entities.uploads import UploadedImage, all_outcomes, sha256_of, without_traceback
from domain.errors import BytesMissing, InvalidContent, Refusal, TargetNotFound, TooManyFiles
from domain.use_cases.uploads.reupload import add_tags, reupload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.entities.upload_targets import UploadTarget
    from domain.ports import (
        Catalog,
        Clock,
        Imaging,
        Ingestion,
        Staging,
        Storage,
        Trash,
        UploadTargets,
    )


@dataclass(frozen=True, slots=True)
class CompleteUploads:
    """Makes an image of the file of each target. It is PROCESSING until a worker has indexed it.

    The server trusts no announcement: it reads the file, and inspects its bytes. Completing a
    target again is idempotent, and returns the same image.
    """

    imaging: Imaging
    catalog: Catalog
    trash: Trash
    ingestion: Ingestion
    storage: Storage
    targets: UploadTargets
    staging: Staging
    clock: Clock
    _admission: AdmissionLimit = field(default_factory=AdmissionLimit)
    _locks: WeakValueDictionary[UUID, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """By target: concurrent calls complete a target one after another."""

    async def __call__(
        self, target_ids: Sequence[UUID], *, tags: Iterable[str] = ()
    ) -> list[UploadedImage | Refusal]:
        """Return an image or a refusal for each target, in order.

        ``tags`` are added to every image, also to those that existed before. Raises TooManyFiles,
        and InvalidArgument for an invalid tag, before any file is read.
        """
        if len(target_ids) > MAX_TARGETS_PER_CALL:
            raise TooManyFiles(
                f"{len(target_ids)} targets are too many for one request; "
                f"complete at most {MAX_TARGETS_PER_CALL}."
            )
        cleaned = clean_tags(tags)
        return await all_outcomes(self._outcome(target_id, cleaned) for target_id in target_ids)

    async def _outcome(self, target_id: UUID, tags: tuple[str, ...]) -> UploadedImage | Refusal:
        async with self._locks.setdefault(target_id, asyncio.Lock()):
            try:
                async with self._admission:
                    return await self._complete(target_id, tags)
            except Refusal as refusal:
                return without_traceback(refusal)

    async def _complete(self, target_id: UUID, tags: tuple[str, ...]) -> UploadedImage:
        target = await self._target(target_id)
        if completed := await self._completed(target, tags):
            return completed
        try:
            data = await self._read(target)
        except TargetNotFound:
            # Another server may have completed the target meanwhile, and deleted its file.
            if completed := await self._completed(await self._target(target_id), tags):
                return completed
            raise
        return await self._store(target, data, tags=tags)

    async def _target(self, target_id: UUID) -> UploadTarget:
        target = await self.targets.find(target_id)
        if target is None:
            raise TargetNotFound(
                "There is no such upload target: it never existed, has expired, or its image was "
                "deleted. Create a new one."
            )
        if target.expires_at <= self.clock():
            raise TargetNotFound(
                f"The upload target of “{target.filename}” has expired; create a new one."
            )
        return target

    async def _completed(self, target: UploadTarget, tags: tuple[str, ...]) -> UploadedImage | None:
        """Return the image of a completed target; None where it is not completed."""
        if target.image_id is None:
            return None
        image = (await self.catalog.get([target.image_id])).get(target.image_id)
        tagged = image and await add_tags(self.catalog, image, tags)
        if image is None or tagged is None:
            raise TargetNotFound(
                f"The image of “{target.filename}” was deleted; create a new target."
            )
        again = UploadedImage.again(image, tagged)
        return replace(again, is_duplicate=target.is_duplicate)

    async def _store(
        self, target: UploadTarget, data: bytes, *, tags: tuple[str, ...]
    ) -> UploadedImage:
        sha256 = await sha256_of(data)
        if target.sha256 not in (None, sha256):
            raise InvalidContent(
                f"“{target.filename}” has another sha256 than was announced; send it again."
            )
        uploaded = None
        # Each attempt returns None after a lost race: the bytes were added or deleted meanwhile.
        while uploaded is None:
            existing = (await self.catalog.find_by_digest([sha256])).get(sha256)
            if existing is None:
                uploaded = await self._insert(target, data, sha256=sha256, tags=tags)
            elif image := await reupload(
                self.catalog, self.trash, self.storage, existing, data, tags=tags
            ):
                uploaded = UploadedImage.again(existing, image)
        await self.targets.complete(
            target.id, uploaded.image.id, is_duplicate=uploaded.is_duplicate
        )
        # The form is valid until the target expires: a file that is sent again is swept.
        await self.staging.delete([target.id])
        return uploaded

    async def _read(self, target: UploadTarget) -> bytes:
        try:
            data = await self.staging.read(target.id, limit=target.byte_size + 1)
        except BytesMissing:
            raise TargetNotFound(
                f"No file was sent to the target of “{target.filename}”; send the file first, and "
                "then complete the target."
            ) from None
        if len(data) != target.byte_size:
            raise InvalidContent(
                f"“{target.filename}” was announced with {target.byte_size:,} bytes, but has "
                "another size; send it again."
            )
        return data

    async def _insert(
        self, target: UploadTarget, data: bytes, *, sha256: str, tags: tuple[str, ...]
    ) -> UploadedImage | None:
        """Store a new image. Returns None where the same bytes were added first."""
        content_type = await self.imaging.inspect(data)
        image = Image(
            id=uuid7(),
            filename=target.filename,
            content_type=content_type,
            byte_size=len(data),
            sha256=sha256,
            created_at=self.clock(),
            status=ImageStatus.PROCESSING,
            tags=tags,
        )
        # Bytes first, row second: a crash between the two leaves bytes that a sweep collects, never
        # a row without bytes. A copy, because the client can still change the staged file.
        key = Variant.ORIGINAL.key_of(image.id)
        await self.storage.write(key, data, content_type=content_type)
        added = await self.ingestion.add_pending(image)
        if added.id == image.id:
            return UploadedImage(added, is_duplicate=False, added_tags=tags)
        await self.storage.delete([key])
        return None
