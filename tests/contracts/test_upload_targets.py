"""The contract of UploadTargets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageStatus, uuid7
from domain.entities.upload_targets import UploadTarget
from infra.postgres.targets import PostgresUploadTargets
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import NOON, image_with
from tests.fakes.targets import MemoryUploadTargets
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import UploadTargets
    from tests.postgres_library import ImageLibrary

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def targets(catalog: ImageLibrary) -> UploadTargets:
    """The targets of the catalog's library."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryUploadTargets(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresUploadTargets(catalog.engine)


def target_with(**facts: object) -> UploadTarget:
    target = UploadTarget(uuid7(), "a.png", "image/png", 3_000_000_000, "0" * 64, NOON)
    return replace(target, **facts)  # type: ignore[arg-type]


async def add_image(catalog: ImageLibrary) -> UUID:
    return (await catalog.add_pending(image_with(status=ImageStatus.PROCESSING))).id


async def test_saved_targets_are_found(targets: UploadTargets) -> None:
    first, second = target_with(), target_with(sha256=None)
    await targets.save([first, second])
    await targets.save([])
    assert [first, second] == [await targets.find(first.id), await targets.find(second.id)]
    assert await targets.find(uuid7()) is None


async def test_only_the_first_image_of_a_target_is_stored(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    target, first, second = target_with(), await add_image(catalog), await add_image(catalog)
    await targets.save([target])
    await targets.complete(target.id, first, is_duplicate=True)
    await targets.complete(target.id, second, is_duplicate=False)
    done = replace(target, image_id=first, is_duplicate=True)
    assert done == await targets.find(target.id)


async def test_completing_does_nothing_where_the_image_or_the_target_was_deleted(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    target = target_with()
    await targets.save([target])
    await targets.complete(target.id, uuid7(), is_duplicate=False)
    await targets.complete(uuid7(), await add_image(catalog), is_duplicate=False)
    assert target == await targets.find(target.id)


async def test_a_target_whose_image_was_deleted_is_saved_without_it(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    with_image = target_with(image_id=await add_image(catalog), is_duplicate=True)
    with_deleted_image = target_with(image_id=uuid7(), is_duplicate=True)
    await targets.save([with_image, with_deleted_image])
    assert with_image == await targets.find(with_image.id)
    found = await targets.find(with_deleted_image.id)
    assert found
    assert found.image_id is None


async def test_a_target_is_deleted_with_its_image(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    target, image_id = target_with(), await add_image(catalog)
    await targets.save([target])
    await targets.complete(target.id, image_id, is_duplicate=False)
    await catalog.delete([image_id])
    assert await targets.find(target.id) is None


async def test_expired_targets_are_deleted_and_their_ids_returned(targets: UploadTargets) -> None:
    past, now, future = (target_with(expires_at=NOON + by * MICROSECOND) for by in (-1, 0, 1))
    await targets.save([past, now, future])
    assert {past.id, now.id} == set(await targets.delete_expired(NOON))
    assert [] == await targets.delete_expired(NOON)
    assert future == await targets.find(future.id)
    assert await targets.find(past.id) is None
