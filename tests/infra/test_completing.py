"""Races of direct uploads between servers of one library, on PostgreSQL and a folder."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import EVERYTHING
from domain.entities.images import Image, Variant
from domain.entities.listing import Sort, Window
from domain.entities.upload_targets import AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage
from domain.errors import TargetNotFound
from domain.use_cases.library.edit import DeleteImages
from domain.use_cases.uploads.complete_uploads import CompleteUploads
from domain.use_cases.uploads.create_targets import CreateUploadTargets
from domain.use_cases.uploads.upload import UploadImages
from infra.filesystem.staging import FolderStaging
from infra.filesystem.storage import FolderStorage
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.engine import open_engine
from infra.postgres.targets import PostgresUploadTargets
from tests.fakes.encoder import FakeEncoder
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.storage import chunks_of
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path
    from uuid import UUID

MAX_BYTES = 1_000
ROUNDS = 12


def now() -> datetime:
    return datetime.now(UTC)


class Servers:
    """Three servers of one library, without shared locks."""

    def __init__(self, catalog: PostgresLibrary, folder: Path) -> None:
        self.catalog = catalog
        self.storage = FolderStorage(folder / "files")
        self.staging = FolderStaging(folder / "uploads")
        self.targets = PostgresUploadTargets(catalog.engine)
        imaging = FakeImaging()
        trash = PostgresTrash(catalog.engine)
        self.create = CreateUploadTargets(
            catalog, trash, self.targets, self.staging, now, MAX_BYTES, ("image/png",)
        )
        self.completing = [
            CompleteUploads(
                imaging, catalog, trash, catalog, self.storage, self.targets, self.staging, now
            )
            for _ in range(3)
        ]
        self.uploading = UploadImages(
            FakeEncoder(),
            imaging,
            catalog,
            trash,
            catalog,
            self.storage,
            now,
            MAX_BYTES,
            max_files=9,
        )
        self.deleting = DeleteImages(catalog, trash, self.storage, now, timedelta(0))

    async def stage(self, data: bytes) -> UUID:
        [offer] = await self.create([AnnouncedFile("a.png", "image/png", len(data))])
        assert isinstance(offer, OfferedTarget)
        await self.staging.write(offer.target.id, chunks_of(data))
        return offer.target.id

    async def delete(self, sha256: str) -> None:
        if image := (await self.catalog.find_by_digest([sha256])).get(sha256):
            await self.deleting([image.id])


@pytest.fixture
async def servers(postgres_url: str, tmp_path: Path) -> AsyncIterator[Servers]:
    async with open_engine(postgres_url) as engine:
        catalog = await PostgresLibrary.open(engine, FakeEncoder().model)
        yield Servers(catalog, tmp_path)


async def test_a_target_completed_concurrently_is_one_image(servers: Servers) -> None:
    for number in range(ROUNDS):
        target_id = await servers.stage(picture_file(words=str(number)))
        outcomes = await asyncio.gather(*(complete([target_id]) for complete in servers.completing))
        ids = {each.image.id if isinstance(each, UploadedImage) else each for [each] in outcomes}
        [image_id] = ids
        target = await servers.targets.find(target_id)
        assert target
        assert image_id == target.image_id


async def test_completing_a_target_is_idempotent_across_servers(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = servers.completing
    target_id, read = await servers.stage(picture_file()), servers.staging.read

    async def complete_before_reading(target_id: UUID, *, limit: int) -> bytes:
        monkeypatch.undo()
        await first([target_id])
        return await read(target_id, limit=limit)

    monkeypatch.setattr(servers.staging, "read", complete_before_reading)
    [outcome] = await second([target_id])
    [again] = await first([target_id])
    assert again == outcome
    assert isinstance(outcome, UploadedImage)


async def test_after_races_rows_and_stored_bytes_match(
    servers: Servers,
) -> None:
    random_order = random.Random(5)
    for number in range(ROUNDS):
        data = picture_file(words=f"race {number}")
        ids = [await servers.stage(data) for _ in range(2)]
        sha256 = (await _completed(servers, ids[0])).sha256 if number % 2 else ""
        calls: list[Callable[[], Coroutine[None, None, object]]] = [
            lambda: servers.uploading([upload(data)]),  # noqa: B023 - awaited in this round
            lambda: servers.delete(sha256),  # noqa: B023 - the same
            *(
                lambda complete=complete, id_=id_: complete([id_])
                for complete in servers.completing
                for id_ in ids
            ),
        ]
        random_order.shuffle(calls)
        for outcome in await asyncio.gather(*(call() for call in calls)):
            for each in outcome if isinstance(outcome, list) else ():
                assert isinstance(each, UploadedImage | TargetNotFound), each
    rows = (await servers.catalog.list(EVERYTHING, Sort(), Window(1_000))).images
    stored = {stored.key async for stored in servers.storage.list()}
    assert {Variant.ORIGINAL.key_of(image.id) for image in rows} == {
        key for key in stored if key.endswith(Variant.ORIGINAL.value)
    }
    assert {str(image.id) for image in rows} == {key.partition("/")[0] for key in stored}


async def _completed(servers: Servers, target_id: UUID) -> Image:
    [outcome] = await servers.completing[0]([target_id])
    assert isinstance(outcome, UploadedImage)
    return outcome.image
