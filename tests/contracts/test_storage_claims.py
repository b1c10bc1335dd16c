"""The contract of StorageClaims: the first claim stays until it is replaced."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from domain.entities.claims import StorageClaim
from domain.entities.images import uuid7
from domain.errors import Misconfigured, Remedy
from infra.claims import CLAIM_NAME
from infra.filesystem.claims import FolderClaims
from infra.filesystem.storage import FolderStorage
from infra.s3.claims import S3Claims
from tests.fakes.claims import MemoryClaims
from tests.s3_server import connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from domain.ports import StorageClaims

CLAIM = StorageClaim(uuid7(), datetime(2025, 1, 31, 12, 30, 0, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["memory", "folder", "s3", "s3 with a prefix"])
async def claims(
    request: pytest.FixtureRequest, tmp_path: Path, s3_url: str
) -> AsyncIterator[StorageClaims]:
    if request.param == "memory":
        yield MemoryClaims(None)
    elif request.param == "folder":
        FolderStorage(tmp_path / "files")
        yield FolderClaims(tmp_path / "files")
    else:
        bucket = await asyncio.to_thread(create_bucket, s3_url)
        prefix = "a/b" if "prefix" in request.param else ""
        async with connect(bucket, s3_url, prefix=prefix) as storage:
            yield S3Claims(storage)


async def test_the_first_claim_stays_until_it_is_replaced(claims: StorageClaims) -> None:
    assert await claims.read_claim() is None
    assert CLAIM == await claims.add_claim(CLAIM)
    other = StorageClaim(uuid7())
    assert CLAIM == await claims.add_claim(other)
    assert CLAIM == await claims.read_claim()
    await claims.replace_claim(other)
    assert other == await claims.read_claim()


async def test_of_concurrent_claims_one_wins(claims: StorageClaims) -> None:
    rivals = [StorageClaim(uuid7()) for _ in range(5)]
    answers = await asyncio.gather(*(claims.add_claim(claim) for claim in rivals))
    assert [await claims.read_claim()] * 5 == answers


async def test_a_place_has_a_name_for_people(claims: StorageClaims) -> None:
    assert claims.place


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"library": "x", "unknown_before": null}', b"\xff"]
)
async def test_a_damaged_marker_is_refused_by_its_name(tmp_path: Path, data: bytes) -> None:
    await asyncio.to_thread((tmp_path / CLAIM_NAME).write_bytes, data)
    with pytest.raises(Misconfigured, match=f"{CLAIM_NAME} in {tmp_path} is damaged") as refusal:
        await FolderClaims(tmp_path).read_claim()
    assert Remedy.CLAIM_STORAGE is refusal.value.remedy
    await FolderClaims(tmp_path).replace_claim(CLAIM)
    assert CLAIM == await FolderClaims(tmp_path).read_claim()


async def test_no_listing_of_images_shows_the_marker(tmp_path: Path, s3_url: str) -> None:
    storage = FolderStorage(tmp_path)
    await FolderClaims(tmp_path).add_claim(CLAIM)
    assert [] == [stored async for stored in storage.list()]
    assert [CLAIM_NAME] == await asyncio.to_thread(lambda: [p.name for p in tmp_path.iterdir()])
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, s3_url) as remote:
        await S3Claims(remote).add_claim(CLAIM)
        assert [] == [stored async for stored in remote.list()]
