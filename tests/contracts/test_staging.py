"""The contract of staging areas."""

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
from tests.s3_server import connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from domain.ports import Staging

DATA = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True)
class Subject:
    """A staging area, and a function that uploads a file to it as a client does."""

    staging: Staging
    upload: Callable[[UploadTarget, bytes], Awaitable[None]]


def a_target(data: bytes = DATA) -> UploadTarget:
    expires_at = datetime.now(UTC) + TARGET_LIFETIME
    return UploadTarget(uuid7(), "a.png", "image/png", len(data), None, expires_at)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@asynccontextmanager
async def _open(kind: str, folder: Path, *, url: str) -> AsyncIterator[Subject]:
    if kind == "s3":
        bucket = await asyncio.to_thread(create_bucket, url)
        async with connect(bucket, url, prefix="a/b") as storage:
            s3 = S3Staging(storage)
            yield Subject(s3, lambda target, data: _post(s3, target, data))
        return
    local = MemoryStaging() if kind == "memory" else FolderStaging(folder / "uploads")
    yield Subject(local, lambda target, data: local.write(target.id, chunks_of(data)))


@pytest.fixture(params=["memory", "folder", "s3"])
async def subject(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str
) -> AsyncIterator[Subject]:
    async with _open(request.param, tmp_path, url=s3_url) as opened:
        yield opened


async def _post(staging: Staging, target: UploadTarget, data: bytes) -> None:
    form = await staging.slot(target)
    async with httpx.AsyncClient() as client:
        response = await client.post(form.url, data=dict(form.fields), files={"file": data})
    assert 204 == response.status_code


async def upload(subject: Subject, data: bytes = DATA) -> UUID:
    target = a_target(data)
    await subject.upload(target, data)
    return target.id


async def ids(subject: Subject) -> set[UUID]:
    return {staged.target_id async for staged in subject.staging.list()}


async def test_a_form_has_a_url_and_fields(subject: Subject) -> None:
    target = a_target()
    form = await subject.staging.slot(target)
    assert str(target.id) in form.url or str(target.id) in dict(form.fields)["key"]
    assert "image/png" == dict(form.fields)["Content-Type"]


async def test_an_upload_is_read_up_to_the_limit(subject: Subject) -> None:
    target_id = await upload(subject)
    assert DATA == await subject.staging.read(target_id, limit=len(DATA) + 1)
    assert DATA[:5] == await subject.staging.read(target_id, limit=5)


async def test_a_second_upload_replaces_the_first(subject: Subject) -> None:
    target = a_target(b"first")
    await subject.upload(target, b"first")
    await subject.upload(target, b"again")
    assert b"again" == await subject.staging.read(target.id, limit=9)


async def test_a_target_without_an_upload_raises_bytes_missing(subject: Subject) -> None:
    target = a_target()
    await subject.staging.slot(target)
    with pytest.raises(BytesMissing, match=str(target.id)):
        await subject.staging.read(target.id, limit=1)


async def test_deleting_is_idempotent(subject: Subject) -> None:
    gone, kept = await upload(subject), await upload(subject)
    await subject.staging.delete([gone, uuid7()])
    await subject.staging.delete([gone])
    await subject.staging.delete([])
    assert {kept} == await ids(subject)
    with pytest.raises(BytesMissing):
        await subject.staging.read(gone, limit=1)


async def test_the_listing_has_modification_times(subject: Subject) -> None:
    assert set() == await ids(subject)
    before = datetime.now(UTC) - timedelta(seconds=2)
    uploaded_ids = {await upload(subject, b"bytes") for _ in range(3)}
    listed = [staged async for staged in subject.staging.list()]
    assert uploaded_ids == {staged.target_id for staged in listed}
    for staged in listed:
        assert before < staged.modified_at < datetime.now(UTC) + timedelta(seconds=2)
