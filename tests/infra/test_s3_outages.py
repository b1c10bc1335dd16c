"""An S3-compatible store behind a proxy that injects faults: clean errors, no leaks, recovery."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import may_use_reserve
from domain.entities.claims import StorageClaim
from domain.entities.images import Variant, uuid7
from domain.errors import AccessRefused, BytesMissing, Overloaded, Unavailable
from domain.use_cases.maintenance.check import CheckLibrary
from domain.use_cases.maintenance.scrub import CheckOriginal
from infra.s3.claims import S3Claims
from infra.s3.client import S3Client
from infra.s3.staging import S3Staging
from infra.s3.storage import S3Storage
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import claim_storage
from tests.fakes.clock import SettableClock
from tests.fakes.external_files import MemoryExternalFiles
from tests.fakes.images import image_with
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.scrubs import MemoryScrubs
from tests.fakes.work_queue import MemoryWorkQueue
from tests.fault_proxy import Fault, FaultProxy
from tests.s3_server import ACCESS_KEY, connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from domain.entities.storage import Blob

KEY = Variant.ORIGINAL.key_of(uuid7())
DATA = bytes(range(256)) * 2_000
DEADLINE_SECONDS = 1.5


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
async def proxy(s3_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.to(s3_url) as proxy:
        yield proxy


@pytest.fixture
async def storage(s3_url: str, proxy: FaultProxy) -> AsyncIterator[S3Storage]:
    bucket = await asyncio.to_thread(create_bucket, s3_url)
    async with connect(bucket, proxy.url, deadline=DEADLINE_SECONDS, read_timeout=0.4) as storage:
        await _until_it_works(storage)
        yield storage


async def _until_it_works(storage: S3Storage) -> None:
    # The first request takes moto longer than the deadline on a busy machine.
    for _ in range(20):
        try:
            await storage.write(KEY, DATA, content_type="image/png")
        except Unavailable:
            continue
        return


async def read(storage: S3Storage) -> bytes:
    blob = await storage.open(KEY)
    return b"".join([chunk async for chunk in blob.chunks])


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_500, Fault.ERROR_503, Fault.RESET, Fault.SILENCE], ids=lambda f: f.value
)
async def test_every_call_is_refused_during_an_outage_and_works_afterwards(
    storage: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.fault = fault
    calls = [
        storage.check(),
        storage.write(KEY, DATA, content_type="image/png"),
        storage.delete([KEY]),
        read(storage),
        anext(storage.list()),
        S3Staging(storage).read(uuid7(), limit=9),
    ]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [Unavailable] * len(calls) == [type(outcome) for outcome in outcomes]
    # Clients see the sentence, and need not know where the store is.
    assert not any("127.0.0.1" in str(outcome) for outcome in outcomes)
    proxy.fault = None
    await _until_it_works(storage)
    assert DATA == await _read_at_last(storage)


async def test_a_truncated_body_is_never_taken_for_a_whole_one(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    proxy.fault = Fault.TRUNCATION
    # More often than there are connections: none of them may leak.
    for _ in range(70):
        with pytest.raises(Unavailable):
            await read(storage)
    proxy.fault = None
    assert DATA == await _read_at_last(storage)


async def test_an_object_with_another_etag_is_another_object(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    reader = S3Client(storage.client, 20, 10)
    full_key = storage.prefix + KEY
    head = await storage.client.head_object(Bucket=storage.bucket, Key=full_key)
    etag = head["ETag"].strip('"')
    blob = await reader.open(storage.bucket, full_key, etag=etag)
    await blob.chunks.aclose()
    proxy.fault = Fault.WRONG_ETAG
    with pytest.raises(BytesMissing):
        await reader.open(storage.bucket, full_key, etag=etag)


async def test_slow_readers_leave_connections_to_changes_and_to_callers_with_a_key(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.reads, "_max_wait_seconds", 0.05)
    may_use_reserve.set(False)
    opened = [await _open_at_last(storage) for _ in range(40)]
    with pytest.raises(Overloaded, match="Too many pictures are being read"):
        await _open_at_last(storage)
    await storage.check()
    await _until_it_works(storage)
    may_use_reserve.set(True)
    opened.append(await _open_at_last(storage))
    for blob in opened:
        await blob.chunks.aclose()
    may_use_reserve.set(False)
    assert DATA == await _read_at_last(storage)


async def _open_at_last(storage: S3Storage) -> Blob:
    for _ in range(20):
        try:
            return await storage.open(KEY)
        except Unavailable:  # a busy machine
            continue
    raise AssertionError


async def _read_at_last(storage: S3Storage) -> bytes:
    for _ in range(20):
        try:
            return await read(storage)
        except Unavailable:  # a busy machine
            continue
    raise AssertionError


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid:9000"])
async def test_a_store_that_accepts_no_connection_is_away(url: str) -> None:
    async with S3Client.connect(
        endpoint_url=url,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=ACCESS_KEY,
        deadline_seconds=10,
    ) as client:
        away = S3Storage(client.client, "bucket", "", 10, 1)
        for call in (
            away.check(),
            away.write(KEY, DATA, content_type="image/png"),
            away.delete([KEY]),
            away.open(KEY),
            S3Claims(away).replace_claim(StorageClaim(uuid7())),
        ):
            with pytest.raises(Unavailable):
                await call


async def test_a_key_that_a_store_cannot_delete_at_the_moment_is_an_outage(
    storage: S3Storage,
) -> None:
    class SlowStore:
        async def delete_objects(self, **_: object) -> dict[str, object]:
            return {"Errors": [{"Key": KEY, "Code": "SlowDown", "Message": "reduce your rate"}]}

    with pytest.raises(Unavailable):
        await replace(storage, client=SlowStore()).delete([KEY])


async def test_a_check_of_a_bucket_that_may_not_be_read_is_one_sentence(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    catalog, clock = MemoryCatalog(), SettableClock()
    await storage.delete([KEY])
    for data in (b"a", b"b", b"c"):
        image = await catalog.add(image_with(sha256=hashlib.sha256(data).hexdigest()), (1.0, 0.0))
        for variant in image.required_variants:
            await storage.write(variant.key_of(image.id), data, content_type="image/png")
    scrubs = MemoryScrubs(catalog)
    check = CheckLibrary(
        catalog,
        storage,
        claim_storage(catalog, storage),
        CheckOriginal(storage, MemoryExternalFiles(), scrubs, clock),
        scrubs,
        MemoryRepairQueue(catalog, MemoryWorkQueue(catalog, clock)),
        clock,
    )
    proxy.fault = Fault.FORBIDDEN
    report = await check()
    assert (3, 0, {}) == (report.images, report.originals_read, report.counts)
    [sentence] = report.refused
    assert f"These keys may not use bucket '{storage.bucket}'" in sentence
    assert "PICTOGRAPH_S3_ACCESS_KEY_ID" in sentence
    with pytest.raises(AccessRefused) as refused:
        await S3Claims(storage).read_claim()
    assert sentence == refused.value.with_cause
    proxy.fault = None
    report = await check()
    assert (3, {}, ()) == (report.originals_read, report.counts, report.refused)
