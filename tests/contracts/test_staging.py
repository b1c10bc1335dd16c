"""What every staging area promises to those who look into it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME, UploadTarget
from domain.errors import BytesMissing
from infra.filesystem.staging import FolderStaging
from infra.s3.staging import S3Staging
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import chunks_of
from tests.s3_server import bucket_of, connect, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from domain.ports import Staging

DATA = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True)
class Area:
    """A staging area, and how a client sends bytes there."""

    staging: Staging
    send: Callable[[UploadTarget, bytes], Awaitable[None]]


def a_target(data: bytes = DATA) -> UploadTarget:
    expires_at = datetime.now(UTC) + TARGET_LIFETIME
    return UploadTarget(uuid7(), "a.png", "image/png", len(data), None, expires_at)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@asynccontextmanager
async def _area(kind: str, folder: Path, *, url: str) -> AsyncIterator[Area]:
    if kind == "s3":
        bucket = await asyncio.to_thread(bucket_of, url)
        async with connect(bucket, url, prefix="a/b") as storage:
            s3 = S3Staging(storage)
            yield Area(s3, lambda target, data: _post(s3, target, data))
        return
    own = MemoryStaging() if kind == "memory" else FolderStaging(folder / "uploads")
    yield Area(own, lambda target, data: own.write(target.id, chunks_of(data)))


@pytest.fixture(params=["memory", "folder", "s3"])
async def area(request: pytest.FixtureRequest, tmp_path: Path, s3_url: str) -> AsyncIterator[Area]:
    async with _area(request.param, tmp_path, url=s3_url) as opened:
        yield opened


async def _post(staging: Staging, target: UploadTarget, data: bytes) -> None:
    slot = await staging.upload_form(target)
    async with httpx.AsyncClient() as client:
        answer = await client.post(slot.url, data=dict(slot.fields), files={"file": data})
    assert 204 == answer.status_code


async def sent(area: Area, data: bytes = DATA) -> UUID:
    target = a_target(data)
    await area.send(target, data)
    return target.id


async def ids(area: Area) -> set[UUID]:
    return {staged.target_id async for staged in area.staging.list()}


async def test_a_slot_says_where_to_send_and_with_which_fields(area: Area) -> None:
    target = a_target()
    slot = await area.staging.upload_form(target)
    assert str(target.id) in slot.url or str(target.id) in dict(slot.fields)["key"]
    assert "image/png" == dict(slot.fields)["Content-Type"]


async def test_what_was_sent_is_read_to_the_limit(area: Area) -> None:
    target_id = await sent(area)
    assert DATA == await area.staging.read(target_id, limit=len(DATA) + 1)
    assert DATA[:5] == await area.staging.read(target_id, limit=5)


async def test_sending_again_replaces(area: Area) -> None:
    target = a_target(b"first")
    await area.send(target, b"first")
    await area.send(target, b"again")
    assert b"again" == await area.staging.read(target.id, limit=9)


async def test_where_nothing_was_sent_the_bytes_are_missing(area: Area) -> None:
    target = a_target()
    await area.staging.upload_form(target)
    with pytest.raises(BytesMissing, match=str(target.id)):
        await area.staging.read(target.id, limit=1)


async def test_deleting_forgets_and_deleting_again_does_no_harm(area: Area) -> None:
    gone, kept = await sent(area), await sent(area)
    await area.staging.delete([gone, uuid7()])
    await area.staging.delete([gone])
    await area.staging.delete([])
    assert {kept} == await ids(area)
    with pytest.raises(BytesMissing):
        await area.staging.read(gone, limit=1)


async def test_the_list_says_when_each_was_sent(area: Area) -> None:
    assert set() == await ids(area)
    before = datetime.now(UTC) - timedelta(seconds=2)
    sent_ids = {await sent(area, b"bytes") for _ in range(3)}
    listed = [staged async for staged in area.staging.list()]
    assert sent_ids == {staged.target_id for staged in listed}
    for staged in listed:
        assert before < staged.modified_at < datetime.now(UTC) + timedelta(seconds=2)
