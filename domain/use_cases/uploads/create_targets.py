"""Creates upload targets, to which clients send files directly."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.media_types import picture_type
from domain.entities.upload_targets import (
    MAX_TARGETS_PER_CALL,
    TARGET_LIFETIME,
    OfferedTarget,
    UploadTarget,
)
from domain.entities.uploads import check_size, display_name
from domain.errors import InvalidArgument, Refusal, TooManyFiles, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.entities.images import Image
    from domain.entities.upload_targets import AnnouncedFile
    from domain.ports import Catalog, Clock, Staging, Trash, UploadTargets

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CreateUploadTargets:
    """Creates a target for each announced file.

    A file that is already an image gets the image in place of a form, unless the image is replaced
    when the same bytes arrive again. An uploaded image in the trash is restored. An imported one
    gets a form, and is restored by the upload.
    """

    catalog: Catalog
    trash: Trash
    targets: UploadTargets
    staging: Staging
    clock: Clock
    max_bytes: int
    accepted_content_types: tuple[str, ...]

    async def __call__(self, files: Sequence[AnnouncedFile]) -> list[OfferedTarget | Refusal]:
        """Return a target or a refusal for each file, in order. Raises TooManyFiles."""
        if len(files) > MAX_TARGETS_PER_CALL:
            raise TooManyFiles(
                f"{len(files)} files are too many for one request; "
                f"announce at most {MAX_TARGETS_PER_CALL}."
            )
        outcomes = [self._target_of(file, index) for index, file in enumerate(files)]
        targets = [target for target in outcomes if isinstance(target, UploadTarget)]
        digests = {target.sha256 for target in targets if target.sha256}
        existing = await self._existing(sorted(digests)) if digests else {}
        # Row first, form second: no client can send bytes to an unknown target.
        await self.targets.save([_completed(target, existing) for target in targets])
        offers = iter(await asyncio.gather(*(self._offer(target, existing) for target in targets)))
        return [outcome if isinstance(outcome, Refusal) else next(offers) for outcome in outcomes]

    async def _existing(self, digests: Sequence[str]) -> dict[str, Image]:
        """Return the images with these digests, without those that are replaced."""
        images = await self.catalog.find_by_digest(digests)
        kept = {digest: image for digest, image in images.items() if not image.is_replaceable}
        # The file of an imported image in the trash may be gone: then its bytes are needed.
        deleted = [each.id for each in kept.values() if each.deleted_at and each.source is None]
        restored = await self.trash.restore(deleted) if deleted else {}
        known = {digest: restored.get(image.id, image) for digest, image in kept.items()}
        # One that was imported, deleted for good, or restored by another caller, gets a form.
        return {digest: image for digest, image in known.items() if image.deleted_at is None}

    async def _offer(self, target: UploadTarget, existing: Mapping[str, Image]) -> OfferedTarget:
        if image := existing.get(target.sha256 or ""):
            return OfferedTarget(target, existing=image)
        return OfferedTarget(target, await self.staging.upload_form(target))

    def _target_of(self, file: AnnouncedFile, index: int) -> UploadTarget | Refusal:
        name, sha256 = display_name(file.filename), file.sha256 and file.sha256.lower()
        content_type = picture_type(file.content_type, name, self.accepted_content_types)
        try:
            check_size(name, file.byte_size, limit=self.max_bytes)
        except Refusal as refusal:
            return refusal
        if content_type is None:
            return UnsupportedFormat(
                f"“{name}” is announced as {file.content_type[:50]!r}; send one of "
                f"{', '.join(self.accepted_content_types)}."
            )
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            return InvalidArgument(
                ("files", index, "sha256"),
                f"The sha256 of “{name}” is invalid; send 64 hex digits, or leave it out.",
            )
        expires_at = self.clock() + TARGET_LIFETIME
        return UploadTarget(uuid7(), name, content_type, file.byte_size, sha256, expires_at)


def _completed(target: UploadTarget, existing: Mapping[str, Image]) -> UploadTarget:
    """Return the target with its image, if that exists already."""
    image = existing.get(target.sha256 or "")
    return replace(target, image_id=image.id, is_duplicate=True) if image else target
