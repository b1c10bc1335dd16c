"""Being told where to put files, and making images of them."""

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
    from tests.fakes.targets import MemoryUploadTargets


async def test_a_file_gets_a_target_for_an_hour(
    use_cases: UseCases, clock: SettableClock, targets: MemoryUploadTargets
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
    assert offer.slot
    assert offer.slot.fields
    assert {offer.target.id: offer.target} == targets.kept


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
        (AnnouncedFile("a.png", "", 1), UnsupportedFormat, "send one of image/png"),
        (AnnouncedFile("a.png", "image/png", 1, "0" * 63), InvalidArgument, "64 hex digits"),
        (AnnouncedFile("a.png", "image/png", 1, "g" * 64), InvalidArgument, "64 hex digits"),
        (AnnouncedFile("a.png", "image/png", 1, ""), InvalidArgument, "64 hex digits"),
    ],
)
async def test_what_would_be_refused_is_refused_before_a_byte_is_sent_and_holds_up_no_other(
    file: AnnouncedFile, refusal: type[Refusal], *, sentence: str, use_cases: UseCases
) -> None:
    first, second = await use_cases.create_upload_targets([file, announced()])
    assert isinstance(first, refusal)
    assert sentence in first.message
    assert isinstance(second, OfferedTarget)


async def test_a_known_picture_is_answered_and_completing_it_gives_it_again(
    use_cases: UseCases,
) -> None:
    [known] = await use_cases.upload([upload(DATA)])
    assert isinstance(known, UploadedImage)
    offer = await offered(use_cases, announced(sha256=digest(DATA)))
    assert (offer.existing, offer.slot) == (known.image, None)
    done = await completed(use_cases, offer.target.id, tags=("sea",))
    assert done == UploadedImage(replace(known.image, tags=("sea",)), is_duplicate=True)


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


async def test_what_was_sent_becomes_an_image_that_is_processing_and_then_ready(
    use_cases: UseCases,
    index: IndexImages,
    *,
    staging: MemoryStaging,
    storage: MemoryStorage,
    clock: SettableClock,
) -> None:
    done = await completed(use_cases, await sent(use_cases, staging), tags=("sea", " red "))
    assert not done.is_duplicate
    assert done.image == Image(
        id=done.image.id,
        filename="a.png",
        content_type="image/png",
        byte_size=len(DATA),
        sha256=digest(DATA),
        created_at=clock.now,
        status=ImageStatus.PROCESSING,
        tags=("red", "sea"),
    )
    assert {Variant.ORIGINAL.key_of(done.image.id): DATA} == storage.objects
    assert {} == staging.files
    assert [1] == [ended async for ended in index()]
    image = (await use_cases.get([done.image.id]))[done.image.id]
    assert (image.status, image.width, image.tags) == (ImageStatus.READY, 8, ("red", "sea"))


async def test_completing_again_gives_the_same_image_and_reads_nothing(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    target_id = await sent(use_cases, staging)
    first = await completed(use_cases, target_id)
    # The policy of a bucket lets it be sent again.
    staging.put(target_id, b"something else")
    again = await completed(use_cases, target_id, tags=("late",))
    assert again == UploadedImage(replace(first.image, tags=("late",)), is_duplicate=False)


async def test_completing_at_once_and_twice_in_a_call_makes_one_image(
    use_cases: UseCases, staging: MemoryStaging, storage: MemoryStorage
) -> None:
    target_id = await sent(use_cases, staging)
    calls = await asyncio.gather(
        *(use_cases.complete_uploads([target_id, target_id]) for _ in range(5))
    )
    [image] = {outcome.image.id for call in calls for outcome in call}  # type: ignore[union-attr]
    assert [False] * 10 == [outcome.is_duplicate for call in calls for outcome in call]  # type: ignore[union-attr]
    assert [Variant.ORIGINAL.key_of(image)] == list(storage.objects)


async def test_the_same_bytes_sent_to_two_targets_are_one_image(
    use_cases: UseCases, staging: MemoryStaging, storage: MemoryStorage
) -> None:
    ids = [await sent(use_cases, staging) for _ in range(2)]
    outcomes = await use_cases.complete_uploads(ids)
    [image] = {outcome.image for outcome in outcomes if isinstance(outcome, UploadedImage)}
    assert [False, True] == sorted(one.is_duplicate for one in outcomes)  # type: ignore[union-attr]
    assert [Variant.ORIGINAL.key_of(image.id)] == list(storage.objects)


async def test_completing_races_an_ordinary_upload_of_the_same_bytes(
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


async def test_an_image_deleted_right_after_stays_deleted(
    use_cases: UseCases, staging: MemoryStaging, *, storage: MemoryStorage, index: IndexImages
) -> None:
    target_id = await sent(use_cases, staging)
    image = (await completed(use_cases, target_id)).image
    assert {image.id} == await use_cases.delete([image.id])
    assert [] == [ended async for ended in index()]
    assert isinstance(await refusal_of(use_cases, target_id), TargetNotFound)
    assert {} == storage.objects


async def test_bytes_that_failed_get_another_chance(
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


async def test_a_picture_that_was_known_and_is_gone_when_it_is_completed_has_to_be_sent(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    await use_cases.upload([upload(DATA)])
    offer = await offered(use_cases, announced(sha256=digest(DATA)))
    assert offer.existing
    await catalog.delete([offer.existing.id])
    assert isinstance(await refusal_of(use_cases, offer.target.id), TargetNotFound)
