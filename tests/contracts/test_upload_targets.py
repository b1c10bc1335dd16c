"""What every keeper of upload targets promises."""

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
from tests.fakes.upload_targets import MemoryUploadTargets
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import UploadTargets
    from tests.postgres_library import ImageLibrary

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def targets(catalog: ImageLibrary) -> UploadTargets:
    """The targets beside a catalog."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryUploadTargets(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresUploadTargets(catalog.engine)


def a_target(**facts: object) -> UploadTarget:
    plain = UploadTarget(uuid7(), "a.png", "image/png", 3_000_000_000, "0" * 64, NOON)
    return replace(plain, **facts)  # type: ignore[arg-type]


async def an_image(catalog: ImageLibrary) -> UUID:
    return (await catalog.add_pending(image_with(status=ImageStatus.PROCESSING))).id


async def test_what_is_kept_is_found(targets: UploadTargets) -> None:
    first, second = a_target(), a_target(sha256=None)
    await targets.save([first, second])
    await targets.save([])
    assert [first, second] == [await targets.find(first.id), await targets.find(second.id)]
    assert await targets.find(uuid7()) is None


async def test_what_a_target_has_become_is_noted_once(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    target, first, second = a_target(), await an_image(catalog), await an_image(catalog)
    await targets.save([target])
    await targets.complete(target.id, first, is_duplicate=True)
    await targets.complete(target.id, second, is_duplicate=False)
    done = replace(target, image_id=first, is_duplicate=True)
    assert done == await targets.find(target.id)


async def test_nothing_is_noted_of_an_image_or_a_target_that_is_gone(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    target = a_target()
    await targets.save([target])
    await targets.complete(target.id, uuid7(), is_duplicate=False)
    await targets.complete(uuid7(), await an_image(catalog), is_duplicate=False)
    assert target == await targets.find(target.id)


async def test_a_target_is_kept_with_an_image_that_is_here_and_without_one_that_is_gone(
    targets: UploadTargets, catalog: ImageLibrary
) -> None:
    here = a_target(image_id=await an_image(catalog), is_duplicate=True)
    gone = a_target(image_id=uuid7(), is_duplicate=True)
    await targets.save([here, gone])
    assert here == await targets.find(here.id)
    found = await targets.find(gone.id)
    assert found
    assert found.image_id is None


async def test_a_target_goes_with_its_image(targets: UploadTargets, catalog: ImageLibrary) -> None:
    target, image_id = a_target(), await an_image(catalog)
    await targets.save([target])
    await targets.complete(target.id, image_id, is_duplicate=False)
    await catalog.delete([image_id])
    assert await targets.find(target.id) is None


async def test_expired_targets_are_forgotten_and_named(targets: UploadTargets) -> None:
    old, due, young = (a_target(expires_at=NOON + by * MOMENT) for by in (-1, 0, 1))
    await targets.save([old, due, young])
    assert {old.id, due.id} == set(await targets.delete_expired(NOON))
    assert [] == await targets.delete_expired(NOON)
    assert young == await targets.find(young.id)
    assert await targets.find(old.id) is None
