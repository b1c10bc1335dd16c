"""Making images of the files that clients have put into place themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
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
        UploadTargets,
    )


@dataclass(frozen=True, slots=True)
class CompleteUploads:
    """Take in what was sent to targets. The images are PROCESSING until a worker has had them.

    The server believes nothing: it reads the bytes itself, and looks at what they are. To
    complete a target again changes nothing, and gives the same image.
    """

    imaging: Imaging
    catalog: Catalog
    ingestion: Ingestion
    storage: Storage
    targets: UploadTargets
    staging: Staging
    clock: Clock
    _room: AdmissionLimit = field(default_factory=AdmissionLimit)
    _turns: WeakValueDictionary[UUID, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """By target: one that is completed many times at once is worked on once."""

    async def __call__(
        self, target_ids: Sequence[UUID], *, tags: Iterable[str] = ()
    ) -> list[UploadedImage | Refusal]:
        """Return what became of each target, in order; one that is refused holds up no other.

        ``tags`` are put on every image, also on those that were here already. Raises
        TooManyFiles, and InvalidArgument for a bad tag, before anything is read.
        """
        if len(target_ids) > MAX_TARGETS_PER_CALL:
            raise TooManyFiles(
                f"{len(target_ids)} targets are too many for one request; "
                f"complete at most {MAX_TARGETS_PER_CALL}."
            )
        wanted = clean_tags(tags)
        return await all_outcomes(self._take(target_id, wanted) for target_id in target_ids)

    async def _take(self, target_id: UUID, tags: tuple[str, ...]) -> UploadedImage | Refusal:
        async with self._turns.setdefault(target_id, asyncio.Lock()):
            try:
                async with self._room:
                    return await self._become(target_id, tags)
            except Refusal as refusal:
                return without_traceback(refusal)

    async def _become(self, target_id: UUID, tags: tuple[str, ...]) -> UploadedImage:
        target = await self._target(target_id)
        if done := await self._done(target, tags):
            return done
        try:
            data = await self._bytes_of(target)
        except TargetNotFound:
            # Another server may have completed it in the meantime, and cleared away.
            if done := await self._done(await self._target(target_id), tags):
                return done
            raise
        return await self._complete(target, data, tags=tags)

    async def _target(self, target_id: UUID) -> UploadTarget:
        target = await self.targets.find(target_id)
        if target is None:
            raise TargetNotFound(
                "There is no such upload target: it has expired, or its image was deleted, or it "
                "never was. Create a new one."
            )
        if target.expires_at <= self.clock():
            raise TargetNotFound(
                f"The upload target of “{target.filename}” has expired; create a new one."
            )
        return target

    async def _done(self, target: UploadTarget, tags: tuple[str, ...]) -> UploadedImage | None:
        """Return what the target has become before; None where it is yet to become something."""
        if target.image_id is None:
            return None
        image = (await self.catalog.get([target.image_id])).get(target.image_id)
        tagged = image and await add_tags(self.catalog, image, tags)
        if tagged is None:
            raise TargetNotFound(
                f"The image that “{target.filename}” became was deleted; create a new target."
            )
        return UploadedImage(tagged, is_duplicate=target.is_duplicate)

    async def _complete(
        self, target: UploadTarget, data: bytes, *, tags: tuple[str, ...]
    ) -> UploadedImage:
        sha256 = await sha256_of(data)
        if target.sha256 not in (None, sha256):
            raise InvalidContent(
                f"What was sent for “{target.filename}” has another sha256 than announced; "
                "send it again."
            )
        uploaded = None
        # What was here a moment ago may be deleted the next: then there is room again.
        while uploaded is None:
            known = (await self.catalog.find_by_digest([sha256])).get(sha256)
            if known is None:
                uploaded = await self._new(target, data, sha256=sha256, tags=tags)
            elif image := await reupload(self.catalog, self.storage, known, data, tags=tags):
                uploaded = UploadedImage(image, is_duplicate=True)
        await self.targets.complete(
            target.id, uploaded.image.id, is_duplicate=uploaded.is_duplicate
        )
        # Whoever sends it again until the target expires changes nothing, and is swept.
        await self.staging.delete([target.id])
        return uploaded

    async def _bytes_of(self, target: UploadTarget) -> bytes:
        try:
            data = await self.staging.read(target.id, limit=target.byte_size + 1)
        except BytesMissing:
            raise TargetNotFound(
                f"Nothing was sent to the target of “{target.filename}”; send the file, and "
                "complete it then."
            ) from None
        if len(data) != target.byte_size:
            raise InvalidContent(
                f"“{target.filename}” was announced with {target.byte_size:,} bytes, and other "
                "than that were sent; send it again."
            )
        return data

    async def _new(
        self, target: UploadTarget, data: bytes, *, sha256: str, tags: tuple[str, ...]
    ) -> UploadedImage | None:
        """Take the file in. Where another was faster, nothing is left of it, and None returned."""
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
        # Bytes first, row second: a crash between the two leaves bytes that nobody points at,
        # never a row that points at nothing. And a copy: the client can still change its own.
        key = Variant.ORIGINAL.key_of(image.id)
        await self.storage.write(key, data, content_type=content_type)
        kept = await self.ingestion.add_pending(image)
        if kept.id == image.id:
            return UploadedImage(kept, is_duplicate=False)
        await self.storage.delete([key])
        return None
