"""Telling clients where to put their files themselves."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.entities.images import ImageStatus, uuid7
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
    from domain.ports import Catalog, Clock, Staging, UploadTargets

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CreateUploadTargets:
    """Make a place for each announced file, but for those whose bytes are here already."""

    catalog: Catalog
    targets: UploadTargets
    staging: Staging
    clock: Clock
    max_bytes: int
    accepted_content_types: tuple[str, ...]

    async def __call__(self, files: Sequence[AnnouncedFile]) -> list[OfferedTarget | Refusal]:
        """Return a target for each file, in order; one refused file holds up no other.

        Raises TooManyFiles.
        """
        if len(files) > MAX_TARGETS_PER_CALL:
            raise TooManyFiles(
                f"{len(files)} files are too many for one request; announce at most {MAX_TARGETS_PER_CALL}."
            )
        made = [self._target_of(file, place) for place, file in enumerate(files)]
        targets = [target for target in made if isinstance(target, UploadTarget)]
        digests = {target.sha256 for target in targets if target.sha256}
        known = await self._known(sorted(digests)) if digests else {}
        # Row first, slot second: nobody sends bytes to a target that is not known.
        await self.targets.save([_settled(target, known) for target in targets])
        offers = await asyncio.gather(*(self._offer(target, known) for target in targets))
        offered = iter(offers)
        return [one if isinstance(one, Refusal) else next(offered) for one in made]

    async def _known(self, digests: Sequence[str]) -> dict[str, Image]:
        """Return the images with these digests; where one has FAILED, its bytes may come again."""
        found = await self.catalog.find_by_digest(digests)
        return {key: one for key, one in found.items() if one.status is not ImageStatus.FAILED}

    async def _offer(self, target: UploadTarget, known: Mapping[str, Image]) -> OfferedTarget:
        if existing := known.get(target.sha256 or ""):
            return OfferedTarget(target, existing=existing)
        return OfferedTarget(target, await self.staging.slot(target))

    def _target_of(self, file: AnnouncedFile, place: int) -> UploadTarget | Refusal:
        name, sha256 = display_name(file.filename), file.sha256 and file.sha256.lower()
        content_type = file.content_type.strip().lower()
        try:
            check_size(name, file.byte_size, limit=self.max_bytes)
        except Refusal as refusal:
            return refusal
        if content_type not in self.accepted_content_types:
            return UnsupportedFormat(
                f"“{name}” is announced as {file.content_type[:50]!r}; send one of "
                f"{', '.join(self.accepted_content_types)}."
            )
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            return InvalidArgument(
                ("files", place, "sha256"),
                f"The sha256 of “{name}” is none; send 64 hex digits, or leave it out.",
            )
        expires_at = self.clock() + TARGET_LIFETIME
        return UploadTarget(uuid7(), name, content_type, file.byte_size, sha256, expires_at)


def _settled(target: UploadTarget, known: Mapping[str, Image]) -> UploadTarget:
    """Return the target with the image that is here already, if it is."""
    image = known.get(target.sha256 or "")
    return replace(target, image_id=image.id, is_duplicate=True) if image else target
