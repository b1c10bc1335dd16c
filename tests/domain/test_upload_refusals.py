"""Targets that are not found, and files that were sent and become no images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME
from domain.entities.uploads import UploadedImage
from domain.errors import (
    InvalidArgument,
    InvalidContent,
    Refusal,
    TargetNotFound,
    TooManyPixels,
    UnsupportedFormat,
)
from tests.domain.direct_uploads import (
    DATA,
    announced,
    completed,
    digest,
    offered,
    refusal_of,
    sent,
)
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.imaging import FakeImaging
    from tests.fakes.staging import MemoryStaging
    from tests.fakes.storage import MemoryStorage


async def test_a_target_is_not_found_for_reasons_that_are_told(
    use_cases: UseCases, clock: SettableClock, *, staging: MemoryStaging
) -> None:
    assert "no such upload target" in (await refusal_of(use_cases, uuid7())).message
    unsent = (await offered(use_cases, announced())).target
    assert "Nothing was sent" in (await refusal_of(use_cases, unsent.id)).message
    late = await sent(use_cases, staging)
    clock.pass_time(TARGET_LIFETIME)
    refusal = await refusal_of(use_cases, late)
    assert isinstance(refusal, TargetNotFound)
    assert "“a.png” has expired" in refusal.message


async def test_one_refused_target_holds_up_no_other(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    good = await sent(use_cases, staging)
    first, second = await use_cases.complete_uploads([uuid7(), good])
    assert isinstance(first, TargetNotFound)
    assert isinstance(second, UploadedImage)


@pytest.mark.parametrize(
    ("data", "refusal", "sentence"),
    [
        (b"no picture at all", UnsupportedFormat, "no picture"),
        (b"PICTURE spoilt", InvalidContent, "damaged"),
        (picture_file(size=(9_000, 9_000)), TooManyPixels, "pixels"),
    ],
)
async def test_what_is_no_picture_is_refused_before_there_is_a_row(  # noqa: PLR0913 - all it leaves alone
    data: bytes,
    refusal: type[Refusal],
    *,
    sentence: str,
    use_cases: UseCases,
    staging: MemoryStaging,
    storage: MemoryStorage,
    catalog: MemoryCatalog,
    imaging: FakeImaging,
) -> None:
    imaging.max_pixels = 1_000_000
    refused = await refusal_of(use_cases, await sent(use_cases, staging, data))
    assert isinstance(refused, refusal)
    assert sentence in refused.message
    assert ({}, {}) == (storage.objects, await catalog.find_by_digest([digest(data)]))


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"!"])
async def test_another_size_than_announced_is_refused(
    data: bytes, use_cases: UseCases, staging: MemoryStaging
) -> None:
    target_id = await sent(use_cases, staging)
    staging.put(target_id, data)
    refusal = await refusal_of(use_cases, target_id)
    assert isinstance(refusal, InvalidContent)
    assert "announced" in refusal.message


async def test_another_sha256_than_announced_is_refused_and_may_be_made_good(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    other = picture_file((0, 255, 0))
    target_id = await sent(use_cases, staging, other.ljust(30), sha256=digest(DATA.ljust(30)))
    refusal = await refusal_of(use_cases, target_id)
    assert isinstance(refusal, InvalidContent)
    assert "another sha256 than announced" in refusal.message
    staging.put(target_id, DATA.ljust(30))
    assert digest(DATA.ljust(30)) == (await completed(use_cases, target_id)).image.sha256


async def test_bad_tags_are_refused_before_anything_is_read(
    use_cases: UseCases, staging: MemoryStaging
) -> None:
    target_id = await sent(use_cases, staging)
    with pytest.raises(InvalidArgument, match="empty"):
        await use_cases.complete_uploads([target_id], tags=[" "])
    assert target_id in staging.files
