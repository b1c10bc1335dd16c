"""The steps of a direct upload, as a client takes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from domain.entities.upload_targets import AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage
from domain.errors import Refusal
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from uuid import UUID

    from domain import UseCases
    from tests.fakes.staging import MemoryStaging

DATA = picture_file()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def announced(data: bytes = DATA, *, sha256: str | None = None) -> AnnouncedFile:
    return AnnouncedFile("a.png", "image/png", len(data), sha256)


async def offered(use_cases: UseCases, file: AnnouncedFile) -> OfferedTarget:
    [offer] = await use_cases.create_upload_targets([file])
    assert isinstance(offer, OfferedTarget), offer
    return offer


async def sent(
    use_cases: UseCases, staging: MemoryStaging, data: bytes = DATA, *, sha256: str | None = None
) -> UUID:
    """Announce a file and send it, and return the id of its target."""
    target = (await offered(use_cases, announced(data, sha256=sha256))).target
    staging.put(target.id, data)
    return target.id


async def completed(
    use_cases: UseCases, target_id: UUID, *, tags: tuple[str, ...] = ()
) -> UploadedImage:
    [outcome] = await use_cases.complete_uploads([target_id], tags=tags)
    assert isinstance(outcome, UploadedImage), outcome
    return outcome


async def refusal_of(use_cases: UseCases, target_id: UUID) -> Refusal:
    [outcome] = await use_cases.complete_uploads([target_id])
    assert isinstance(outcome, Refusal)
    return outcome
