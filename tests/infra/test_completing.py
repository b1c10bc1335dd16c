"""Direct uploads on PostgreSQL and a folder, by several servers that get in each other's way."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
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
    """Some servers of one library; each has locks of its own."""

    def __init__(self, catalog: PostgresLibrary, folder: Path) -> None:
        self.catalog = catalog
        self.storage = FolderStorage(folder / "files")
        self.staging = FolderStaging(folder / "uploads")
        self.targets = PostgresUploadTargets(catalog.engine)
        imaging = FakeImaging()
        self.create = CreateUploadTargets(
            catalog, self.targets, self.staging, now, MAX_BYTES, ("image/png",)
        )
        self.completing = [
            CompleteUploads(
                imaging, catalog, catalog, self.storage, self.targets, self.staging, now
            )
            for _ in range(3)
        ]
        self.uploading = UploadImages(
            FakeEncoder(), imaging, catalog, catalog, self.storage, now, MAX_BYTES, max_files=9
        )
        self.deleting = DeleteImages(catalog, self.storage)

    async def sent(self, data: bytes) -> UUID:
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


async def test_one_target_completed_by_all_servers_at_once_is_one_image(servers: Servers) -> None:
    for number in range(ROUNDS):
        target_id = await servers.sent(picture_file(words=str(number)))
        outcomes = await asyncio.gather(*(one([target_id]) for one in servers.completing))
        ids = {one.image.id if isinstance(one, UploadedImage) else one for [one] in outcomes}
        [image_id] = ids
        target = await servers.targets.find(target_id)
        assert target
        assert image_id == target.image_id


async def test_a_target_that_another_server_has_just_completed_gives_its_image(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = servers.completing
    target_id, read = await servers.sent(picture_file()), servers.staging.read

    async def late(target_id: UUID, *, limit: int) -> bytes:
        monkeypatch.undo()
        await first([target_id])
        return await read(target_id, limit=limit)

    monkeypatch.setattr(servers.staging, "read", late)
    [outcome] = await second([target_id])
    [again] = await first([target_id])
    assert again == outcome
    assert isinstance(outcome, UploadedImage)


async def test_after_all_races_every_row_has_its_bytes_and_there_are_no_others(
    servers: Servers,
) -> None:
    luck = random.Random(5)
    for number in range(ROUNDS):
        data = picture_file(words=f"race {number}")
        ids = [await servers.sent(data) for _ in range(2)]
        sha256 = (await _completed(servers, ids[0])).sha256 if number % 2 else ""
        works: list[Callable[[], Coroutine[None, None, object]]] = [
            lambda: servers.uploading([upload(data)]),  # noqa: B023 - awaited in this round
            lambda: servers.delete(sha256),  # noqa: B023 - the same
            *(lambda one=one, id_=id_: one([id_]) for one in servers.completing for id_ in ids),
        ]
        luck.shuffle(works)
        for outcome in await asyncio.gather(*(work() for work in works)):
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
