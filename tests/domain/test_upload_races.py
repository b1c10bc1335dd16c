"""Races of uploads with each other, with deletions, outages and cancellations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import Variant
from domain.entities.listing import Sort, Window
from domain.entities.uploads import UploadedImage
from domain.errors import UnsupportedFormat
from domain.use_cases.maintenance.sweep import ORPHAN_GRACE_PERIOD, Sweep
from domain.use_cases.uploads.upload import UploadImages
from tests.domain.conftest import LIMITS
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file
from tests.fakes.interleaving import InterleavedCatalog, InterleavedStorage, Interleaving
from tests.fakes.kept_searches import MemoryKeptSearches
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from domain import Limits, UseCases
    from domain.entities.images import Image
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.imaging import FakeImaging
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0))
BLUE = picture_file((0, 0, 255))
# The others are made at their first request.
UPLOADED = (Variant.ORIGINAL, Variant.THUMBNAIL)
NEW_IMAGE_POINTS = [
    f"{when} {what}"
    for what in ("find_by_digest", "write original", "write thumbnail", "add")
    for when in ("before", "after")
]
LOST_RACE_POINTS = ["before delete bytes", "after delete bytes", "before tag", "after tag"]


@pytest.fixture
def limits() -> Limits:
    """Those of a server that deletes at once: the trash has tests of its own."""
    return replace(LIMITS, trash_lifetime=timedelta(0))


@pytest.fixture
def interleaving() -> Interleaving:
    return Interleaving(random=Random(7))


@pytest.fixture
def catalog(interleaving: Interleaving) -> MemoryCatalog:
    return InterleavedCatalog(interleaving)


@pytest.fixture
def storage(interleaving: Interleaving) -> MemoryStorage:
    return InterleavedStorage(interleaving)


@pytest.fixture
def other_server(
    encoder: FakeEncoder,
    imaging: FakeImaging,
    *,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    clock: SettableClock,
) -> UploadImages:
    """A second process over the same database and storage."""
    return UploadImages(
        encoder,
        imaging,
        catalog,
        MemoryTrash(catalog),
        catalog,
        storage,
        clock,
        LIMITS.max_upload_bytes,
        max_files=100,
    )


async def images(use_cases: UseCases) -> tuple[Image, ...]:
    return (await use_cases.list(ImageFilter(), Sort(), Window(100))).images


async def has_all_bytes(use_cases: UseCases, storage: MemoryStorage) -> bool:
    return all(
        variant.key_of(image.id) in storage.objects
        for image in await images(use_cases)
        for variant in UPLOADED
    )


@pytest.mark.parametrize("seed", range(5))
async def test_a_hundred_concurrent_uploads_of_twenty_pictures_leave_twenty(  # noqa: PLR0913
    seed: int,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    interleaving: Interleaving,
    encoder: FakeEncoder,
    storage: MemoryStorage,
) -> None:
    interleaving.random.seed(seed)
    files = [picture_file((number, 0, 0)) for number in range(20)]

    outcomes = await asyncio.gather(
        *(
            (use_cases.upload if number % 2 else other_server)([upload(files[number // 5])])
            for number in range(100)
        )
    )

    uploaded = [each for [each] in outcomes if isinstance(each, UploadedImage)]
    existing = {image.id for image in await images(use_cases)}
    assert existing == {each.image.id for each in uploaded}
    assert len(existing) == sum(not each.is_duplicate for each in uploaded) == 20
    assert {variant.key_of(id_) for id_ in existing for variant in UPLOADED} == set(storage.objects)
    # Each server encodes a picture once; only the loser of a race encodes it in vain.
    assert encoder.calls <= 40


async def test_the_loser_of_a_race_deletes_its_bytes_and_adds_its_tags_to_the_winner(
    use_cases: UseCases,
    other_server: UploadImages,
    *,
    interleaving: Interleaving,
    storage: MemoryStorage,
) -> None:
    interleaving.actions["before add"] = lambda: other_server(
        [upload(RED, "winner.png")], tags=["won"]
    )

    [loser] = await use_cases.upload([upload(RED, "loser.png")], tags=["lost"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=True, added_tags=("lost",)) == loser
    assert (image.filename, image.tags) == ("winner.png", ("lost", "won"))
    assert {variant.key_of(image.id) for variant in UPLOADED} == set(storage.objects)


async def test_an_image_deleted_before_its_duplicate_is_tagged_is_uploaded_as_new(
    use_cases: UseCases, *, interleaving: Interleaving, storage: MemoryStorage
) -> None:
    await use_cases.upload([upload(RED)])
    [old] = await images(use_cases)
    interleaving.actions["before tag"] = lambda: use_cases.delete([old.id])

    [outcome] = await use_cases.upload([upload(RED)], tags=["sea"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=False, added_tags=("sea",)) == outcome
    assert (old.id != image.id, image.tags) == (True, ("sea",))
    assert {variant.key_of(image.id) for variant in UPLOADED} == set(storage.objects)


async def test_a_winner_deleted_before_the_loser_tags_it_is_uploaded_as_new(
    use_cases: UseCases,
    other_server: UploadImages,
    *,
    interleaving: Interleaving,
    storage: MemoryStorage,
) -> None:
    async def delete_winner() -> None:
        await use_cases.delete([image.id for image in await images(use_cases)])

    interleaving.actions["before add"] = lambda: other_server([upload(RED)])
    interleaving.actions["before tag"] = delete_winner

    [outcome] = await use_cases.upload([upload(RED)], tags=["sea"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=False, added_tags=("sea",)) == outcome
    assert {variant.key_of(image.id) for variant in UPLOADED} == set(storage.objects)


@pytest.mark.parametrize("seed", range(10))
async def test_concurrent_uploads_and_deletions_leave_the_whole_image_or_nothing(
    seed: int,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    interleaving: Interleaving,
    storage: MemoryStorage,
) -> None:
    interleaving.random.seed(seed)

    async def delete_everything() -> None:
        for _ in range(10):
            await use_cases.delete([image.id for image in await images(use_cases)])

    await asyncio.gather(
        *(use_cases.upload([upload(RED)], tags=[str(number)]) for number in range(10)),
        *(other_server([upload(RED)]) for _ in range(10)),
        delete_everything(),
    )

    existing = await images(use_cases)
    assert len(existing) <= 1
    expected = {variant.key_of(image.id) for image in existing for variant in UPLOADED}
    assert expected == set(storage.objects)


@pytest.mark.parametrize("point", [*NEW_IMAGE_POINTS, *LOST_RACE_POINTS])
async def test_an_upload_cancelled_at_any_point_leaves_no_row_without_bytes(
    point: str,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    interleaving: Interleaving,
    storage: MemoryStorage,
) -> None:
    if point in LOST_RACE_POINTS:
        interleaving.actions["before add"] = lambda: other_server([upload(RED)])
    uploading = asyncio.create_task(use_cases.upload([upload(RED)], tags=["sea"]))

    async def cancel() -> None:
        uploading.cancel()
        await asyncio.sleep(0)

    interleaving.actions[point] = cancel
    with pytest.raises(asyncio.CancelledError):
        await uploading

    assert point not in interleaving.actions
    assert await has_all_bytes(use_cases, storage)
    await _upload_again_and_sweep(use_cases, storage)


@pytest.mark.parametrize("point", [*NEW_IMAGE_POINTS, *LOST_RACE_POINTS])
async def test_an_outage_at_any_point_is_raised_and_loses_no_other_file(
    point: str,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    interleaving: Interleaving,
    storage: MemoryStorage,
) -> None:
    if point in LOST_RACE_POINTS:
        interleaving.actions["before add"] = lambda: other_server([upload(RED), upload(BLUE)])
    outage = ConnectionRefusedError("the store is away")

    async def fail() -> None:
        raise outage

    interleaving.actions[point] = fail
    with pytest.raises(ConnectionRefusedError) as raised:
        await use_cases.upload([upload(RED), upload(b"GIF89a"), upload(BLUE)], tags=["sea"])

    assert outage is raised.value
    assert len(await images(use_cases)) in {1, 2}
    assert await has_all_bytes(use_cases, storage)
    await _upload_again_and_sweep(use_cases, storage)


async def _upload_again_and_sweep(use_cases: UseCases, storage: MemoryStorage) -> None:
    """Send the files again, sweep, and check that nothing is left of the failure."""
    red, gif, blue = await use_cases.upload([upload(RED), upload(b"GIF89a"), upload(BLUE)])
    assert isinstance(red, UploadedImage)
    assert isinstance(gif, UnsupportedFormat)
    assert isinstance(blue, UploadedImage)
    sweep = Sweep(
        use_cases.sweep.catalog,
        storage,
        use_cases.sweep.claim_storage,
        MemoryKeptSearches(),
        lambda: datetime.now(UTC) + 2 * ORPHAN_GRACE_PERIOD,
    )
    await sweep()
    ids = {red.image.id, blue.image.id}
    assert ids == {image.id for image in await images(use_cases)}
    assert {variant.key_of(id_) for id_ in ids for variant in UPLOADED} == set(storage.objects)
