"""Creating and completing upload targets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.images import Image, ImageStatus, Variant, uuid7
from domain.entities.upload_targets import (
    MAX_TARGETS_PER_CALL,
    TARGET_LIFETIME,
    AnnouncedFile,
    OfferedTarget,
)
from domain.entities.uploads import UploadedImage
from domain.errors import (
    InvalidArgument,
    InvalidContent,
    Refusal,
    TargetNotFound,
    TooLarge,
    TooManyFiles,
    UnsupportedFormat,
)
from tests.domain.conftest import LIMITS
from tests.domain.direct_uploads import (
    DATA,
    announced,
    completed,
    digest,
    offered,
    refusal_of,
    sent,
)
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.use_cases.indexing import IndexImages
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.staging import MemoryStaging
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.upload_targets import MemoryUploadTargets


async def test_an_announced_file_gets_a_target_that_expires_after_an_hour(
    use_cases: UseCases, clock: SettableClock, upload_targets: MemoryUploadTargets
) -> None:
    file = AnnouncedFile("../holiday\0/a.png", " Image/PNG ", 5, digest(b"x").upper())
    offer = await offered(use_cases, file)
    assert ("a.png", "image/png", 5) == (
        offer.target.filename,
        offer.target.content_type,
        offer.target.byte_size,
    )
    assert (digest(b"x"), clock.now + TARGET_LIFETIME) == (
        offer.target.sha256,
        offer.target.expires_at,
    )
    assert offer.existing is None
    assert offer.form
    assert offer.form.fields
    assert {offer.target.id: offer.target} == upload_targets.kept


@pytest.mark.parametrize(
    ("file", "refusal", "sentence"),
    [
        (
            AnnouncedFile("a.png", "image/png", LIMITS.max_upload_bytes + 1),
            TooLarge,
            "at most 1,000 are",
        ),
        (AnnouncedFile("a.png", "image/png", 0), InvalidContent, "“a.png” is empty"),
        (AnnouncedFile("a.png", "image/png", -1), InvalidContent, "“a.png” is empty"),
        (AnnouncedFile("a.svg", "image/svg+xml", 1), UnsupportedFormat, "send one of image/png"),
        (AnnouncedFile("a.mov", "video/quicktime", 1), UnsupportedFormat, "send one of image/png"),
        (AnnouncedFile("a.png", "image/", 1), UnsupportedFormat, "send one of image/png"),
        (AnnouncedFile("a.png", "image/p\nng", 1), UnsupportedFormat, "send one of image/png"),
        (AnnouncedFile("a.png", "image/png", 1, "0" * 63), InvalidArgument, "64 hex digits"),
        (AnnouncedFile("a.png", "image/png", 1, "g" * 64), InvalidArgument, "64 hex digits"),
        (AnnouncedFile("a.png", "image/png", 1, ""), InvalidArgument, "64 hex digits"),
    ],
)
async def test_an_announcement_that_is_not_acceptable_is_refused_and_the_others_are_not(
    file: AnnouncedFile, refusal: type[Refusal], *, sentence: str, use_cases: UseCases
) -> None:
    first, second = await use_cases.create_upload_targets([file, announced()])
    assert isinstance(first, refusal)
    assert sentence in first.message
    assert isinstance(second, OfferedTarget)


async def test_an_announced_file_that_exists_gets_its_image_in_place_of_a_form(
    use_cases: UseCases,
) -> None:
    [known] = await use_cases.upload([upload(DATA)])
    assert isinstance(known, UploadedImage)
    offer = await offered(use_cases, announced(sha256=digest(DATA)))
    assert (offer.existing, offer.form) == (known.image, None)
    outcome = await completed(use_cases, offer.target.id, tags=("sea",))
    tagged = replace(known.image, tags=("sea",))
    assert outcome == UploadedImage(tagged, is_duplicate=True, added_tags=("sea",))


async def test_a_hundred_files_are_announced_at_once_and_no_more(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    files = [picture_file(words=str(number)) for number in range(MAX_TARGETS_PER_CALL)]
    offers = await use_cases.create_upload_targets([announced(data) for data in files])
    ids = [offer.target.id for offer in offers if isinstance(offer, OfferedTarget)]
    for target_id, data in zip(ids, files, strict=True):
        staging.put(target_id, data)
    outcomes = await use_cases.complete_uploads(ids)
    images = [outcome.image for outcome in outcomes if isinstance(outcome, UploadedImage)]
    assert [digest(data) for data in files] == [image.sha256 for image in images]
    with pytest.raises(TooManyFiles, match=r"101 files .* at most 100"):
        await use_cases.create_upload_targets([announced()] * (MAX_TARGETS_PER_CALL + 1))
    with pytest.raises(TooManyFiles, match=r"101 targets .* at most 100"):
        await use_cases.complete_uploads([*ids, uuid7()])


async def test_a_sent_file_becomes_a_processing_image_and_then_a_ready_one(
    use_cases: UseCases,
    index: IndexImages,
    *,
    staging: MemoryStaging,
    storage: MemoryStorage,
    clock: SettableClock,
) -> None:
    outcome = await completed(use_cases, await sent(use_cases, staging), tags=("sea", " red "))
    assert not outcome.is_duplicate
    assert outcome.image == Image(
        id=outcome.image.id,
        filename="a.png",
        content_type="image/png",
        byte_size=len(DATA),
        sha256=digest(DATA),
        created_at=clock.now,
        status=ImageStatus.PROCESSING,
        tags=("red", "sea"),
    )
    assert {Variant.ORIGINAL.key_of(outcome.image.id): DATA} == storage.objects
    assert {} == staging.files
    assert [1] == [ended async for ended in index()]
    image = (await use_cases.get([outcome.image.id]))[outcome.image.id]
    assert (image.status, image.width, image.tags) == (ImageStatus.READY, 8, ("red", "sea"))


async def test_completing_a_target_again_returns_the_same_image_and_reads_no_file(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    target_id = await sent(use_cases, staging)
    first = await completed(use_cases, target_id)
    # The policy of a bucket lets it be sent again.
    staging.put(target_id, b"something else")
    again = await completed(use_cases, target_id, tags=("again",))
    tagged = replace(first.image, tags=("again",))
    assert again == UploadedImage(tagged, is_duplicate=False, added_tags=("again",))


async def test_concurrent_and_repeated_completions_of_a_target_make_one_image(
    use_cases: UseCases, staging: MemoryStaging, storage: MemoryStorage
) -> None:
    target_id = await sent(use_cases, staging)
    calls = await asyncio.gather(
        *(use_cases.complete_uploads([target_id, target_id]) for _ in range(5))
    )
    [image] = {outcome.image.id for call in calls for outcome in call}  # type: ignore[union-attr]
    assert [False] * 10 == [outcome.is_duplicate for call in calls for outcome in call]  # type: ignore[union-attr]
    assert [Variant.ORIGINAL.key_of(image)] == list(storage.objects)


async def test_two_targets_with_the_same_bytes_become_one_image(
    use_cases: UseCases, staging: MemoryStaging, storage: MemoryStorage
) -> None:
    ids = [await sent(use_cases, staging) for _ in range(2)]
    outcomes = await use_cases.complete_uploads(ids)
    [image] = {outcome.image for outcome in outcomes if isinstance(outcome, UploadedImage)}
    assert [False, True] == sorted(one.is_duplicate for one in outcomes)  # type: ignore[union-attr]
    assert [Variant.ORIGINAL.key_of(image.id)] == list(storage.objects)


async def test_a_completion_and_an_upload_of_the_same_bytes_make_one_image(
    use_cases: UseCases, staging: MemoryStaging, storage: MemoryStorage
) -> None:
    target_id = await sent(use_cases, staging)
    [direct], [ordinary] = await asyncio.gather(
        use_cases.complete_uploads([target_id]), use_cases.upload([upload(DATA)])
    )
    assert isinstance(direct, UploadedImage)
    assert isinstance(ordinary, UploadedImage)
    assert direct.image.id == ordinary.image.id
    assert {direct.image.id} == {UUID(key.partition("/")[0]) for key in storage.objects}
    assert {} == staging.files


async def test_an_image_deleted_right_after_completion_stays_deleted(
    use_cases: UseCases, staging: MemoryStaging, *, storage: MemoryStorage, index: IndexImages
) -> None:
    target_id = await sent(use_cases, staging)
    image = (await completed(use_cases, target_id)).image
    assert {image.id} == await use_cases.delete([image.id])
    assert [] == [ended async for ended in index()]
    assert isinstance(await refusal_of(use_cases, target_id), TargetNotFound)
    assert {} == await use_cases.get([image.id])
    assert {Variant.ORIGINAL.key_of(image.id)} == set(storage.objects)


async def test_a_failed_image_is_replaced_when_its_bytes_are_sent_again(
    use_cases: UseCases, staging: MemoryStaging, *, catalog: MemoryCatalog, storage: MemoryStorage
) -> None:
    first = (await completed(use_cases, await sent(use_cases, staging))).image
    catalog.put(replace(first, status=ImageStatus.FAILED, failure_reason="It could not be read."))
    offer = await offered(use_cases, announced(sha256=digest(DATA)))
    assert offer.existing is None
    staging.put(offer.target.id, DATA)
    second = await completed(use_cases, offer.target.id)
    assert (ImageStatus.PROCESSING, False) == (second.image.status, second.is_duplicate)
    assert first.id != second.image.id
    assert [Variant.ORIGINAL.key_of(second.image.id)] == list(storage.objects)


async def test_a_target_whose_existing_image_was_deleted_is_refused(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    await use_cases.upload([upload(DATA)])
    offer = await offered(use_cases, announced(sha256=digest(DATA)))
    assert offer.existing
    await catalog.delete([offer.existing.id])
    assert isinstance(await refusal_of(use_cases, offer.target.id), TargetNotFound)
