"""Bytes that come through this server, and the tickets that let them in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME, UploadTarget
from domain.errors import InvalidContent, TooLarge, UploadForbidden
from domain.use_cases.uploads.receive_upload import ReceiveUpload
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import chunks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.clock import SettableClock

DATA = b"five!"


@pytest.fixture
def target(clock: SettableClock) -> UploadTarget:
    expires_at = clock.now + TARGET_LIFETIME
    return UploadTarget(uuid7(), "a.png", "image/png", len(DATA), None, expires_at)


@pytest.fixture
async def fields(staging: MemoryStaging, target: UploadTarget) -> dict[str, str]:
    return dict((await staging.slot(target)).fields)


@pytest.fixture
def receive(staging: MemoryStaging, clock: SettableClock) -> ReceiveUpload:
    return ReceiveUpload(staging, clock)


async def test_the_fields_of_a_target_admit_its_file_until_it_expires(
    receive: ReceiveUpload,
    fields: dict[str, str],
    *,
    target: UploadTarget,
    clock: SettableClock,
    staging: MemoryStaging,
) -> None:
    clock.pass_time(TARGET_LIFETIME - timedelta(seconds=1))
    await receive(receive.admit(target.id, fields), chunks_of(DATA), size=len(DATA))
    assert {target.id: DATA} == staging.files
    clock.pass_time(timedelta(seconds=1))
    with pytest.raises(UploadForbidden, match="has expired; create a new one"):
        receive.admit(target.id, fields)


async def test_the_fields_of_another_target_admit_nothing(
    receive: ReceiveUpload, fields: dict[str, str]
) -> None:
    with pytest.raises(UploadForbidden, match="not those of this target"):
        receive.admit(uuid7(), fields)


@pytest.mark.parametrize("name", ["Content-Type", "byteSize", "expires", "signature"])
@pytest.mark.parametrize("change", [lambda text: text + "0", lambda _: "", lambda _: "\ud800é"])
async def test_altered_fields_admit_nothing(
    name: str,
    change: Callable[[str], str],
    *,
    receive: ReceiveUpload,
    fields: dict[str, str],
    target: UploadTarget,
) -> None:
    with pytest.raises(UploadForbidden, match="not those of this target"):
        receive.admit(target.id, fields | {name: change(fields[name])})


@pytest.mark.parametrize("name", ["Content-Type", "byteSize", "expires", "signature"])
async def test_a_missing_field_is_named(
    name: str, *, receive: ReceiveUpload, fields: dict[str, str], target: UploadTarget
) -> None:
    del fields[name]
    with pytest.raises(UploadForbidden, match=f"lacks the field “{name}”"):
        receive.admit(target.id, fields)


async def test_fields_cannot_be_cut_otherwise(
    receive: ReceiveUpload, fields: dict[str, str], target: UploadTarget
) -> None:
    moved = {
        "Content-Type": f"{fields['Content-Type']}\n{fields['byteSize']}",
        "byteSize": fields["expires"],
        "expires": "",
    }
    with pytest.raises(UploadForbidden, match="not those of this target"):
        receive.admit(target.id, fields | moved)


async def test_a_server_with_another_secret_admits_nothing(
    fields: dict[str, str], target: UploadTarget, clock: SettableClock
) -> None:
    other = ReceiveUpload(MemoryStaging(clock, secret=b"another"), clock)
    with pytest.raises(UploadForbidden, match="not those of this target"):
        other.admit(target.id, fields)


@pytest.mark.parametrize(
    ("size", "refusal"), [(len(DATA) + 1, TooLarge), (len(DATA) - 1, InvalidContent)]
)
async def test_another_size_is_refused_and_nothing_kept(  # noqa: PLR0913 - all that it takes
    size: int,
    refusal: type[Exception],
    *,
    receive: ReceiveUpload,
    fields: dict[str, str],
    target: UploadTarget,
    staging: MemoryStaging,
) -> None:
    ticket = receive.admit(target.id, fields)
    with pytest.raises(refusal, match="announced"):
        await receive(ticket, chunks_of(DATA), size=size)
    assert {} == staging.files
