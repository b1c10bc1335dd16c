"""Two databases on one storage: the second is refused, and takes nothing from the first."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.entities.images import Variant
from domain.errors import Misconfigured
from infra.postgres.engine import open_engine
from infra.settings import Settings
from pictograph import app
from pictograph.adapters import open_storage
from tests.contracts.conftest import MODEL
from tests.e2e.process import typed_url
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from domain import LibraryUseCases
    from domain.ports import Storage


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@dataclass
class Libraries:
    """Settings of two databases that share a storage by mistake."""

    mine: Settings
    other: Settings

    @asynccontextmanager
    async def storage(self) -> AsyncIterator[Storage]:
        async with open_storage(self.mine) as storage:
            yield storage

    async def add(self, settings: Settings, count: int) -> None:
        """Add images with their files to one of the two."""
        assert settings.database_url
        async with AsyncExitStack() as stack:
            url = settings.database_url.get_secret_value()
            engine = await stack.enter_async_context(open_engine(url))
            storage = await stack.enter_async_context(self.storage())
            library = await PostgresLibrary.open(engine, MODEL)
            for _ in range(count):
                image = await library.add(image_with(), (1.0, 0.0, 0.0))
                for key in Variant.keys_of([image.id]):
                    await storage.write(key, b"bytes", content_type="image/png")

    async def keys(self) -> set[str]:
        async with self.storage() as storage:
            return {stored.key async for stored in storage.list()}


@pytest.fixture(params=["folder", "bucket"])
async def libraries(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3_url: str,
    *,
    postgres_url: str,
    postgres_module_url: str,
) -> Libraries:
    shared: dict[str, object] = {"data_dir": tmp_path}
    if request.param == "bucket":
        shared |= {
            "s3_bucket": await asyncio.to_thread(create_bucket, s3_url),
            "s3_prefix": "a/b",
            "s3_endpoint_url": s3_url,
            "s3_access_key_id": ACCESS_KEY,
            "s3_secret_access_key": ACCESS_KEY,
        }
    # Both are copies of one migrated database, and so have the same id until one gets another.
    async with open_engine(postgres_module_url) as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE library SET id = gen_random_uuid()"))
        await connection.execute(text("TRUNCATE images CASCADE"))
    urls = (typed_url(url) for url in (postgres_url, postgres_module_url))
    mine, other = (Settings(**shared, database_url=url) for url in urls)  # type: ignore[arg-type]
    return Libraries(mine, other)


async def sweep(library: LibraryUseCases, *, force: bool = False) -> tuple[int, int]:
    """Sweep as a week later, and return how many objects were removed and kept."""

    def in_a_week() -> datetime:
        return datetime.now(UTC) + timedelta(days=7)

    report = await replace(library.sweep, clock=in_a_week)(force=force)
    return report.removed_objects, report.kept_objects


async def test_the_second_database_on_a_storage_is_refused_and_removes_nothing(
    libraries: Libraries,
) -> None:
    async with app.open_library(libraries.mine) as library:
        await library.claim_storage()
    await libraries.add(libraries.mine, 2)
    await libraries.add(libraries.other, 1)
    before = await libraries.keys()
    assert 9 == len(before)
    async with app.open_library(libraries.other) as library:
        for force in (False, True):
            with pytest.raises(Misconfigured, match="belong to another library"):
                await sweep(library, force=force)
        for repair in (False, True):
            with pytest.raises(Misconfigured, match="belong to another library"):
                await library.check(repair=repair)
    assert before == await libraries.keys()


async def test_of_two_databases_from_before_there_were_markers_one_adopts_the_storage(
    libraries: Libraries,
) -> None:
    await libraries.add(libraries.mine, 1)
    await libraries.add(libraries.other, 2)
    before = await libraries.keys()
    async with app.open_library(libraries.mine) as library:
        # The other's files are no image's here, and older than the claim.
        assert (0, 6) == await sweep(library)
    async with app.open_library(libraries.other) as library:
        with pytest.raises(Misconfigured, match="belong to another library"):
            await sweep(library)
    assert before == await libraries.keys()


async def test_a_new_database_is_refused_where_another_has_its_files(
    libraries: Libraries,
) -> None:
    await libraries.add(libraries.other, 1)
    async with app.open_library(libraries.mine) as library:
        with pytest.raises(Misconfigured, match="and this library has no images"):
            await sweep(library)


async def test_a_server_does_not_start_on_files_of_another_library(libraries: Libraries) -> None:
    async with app.open_library(libraries.other) as library:
        claim = await library.claim_storage()
    with pytest.raises(Misconfigured, match=f"belong to another library, {claim.library_id}"):
        async with app.open_pictograph(libraries.mine):
            pass
    async with app.open_library(libraries.mine) as library:
        assert claim.library_id != (await library.claim_storage(force=True)).library_id
        assert (0, 0) == await sweep(library)
