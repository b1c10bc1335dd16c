"""Uploads that meet each other, deletions, outages and impatient clients."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
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
from tests.fakes.moments import MomentousCatalog, MomentousStorage, Moments
from tests.fakes.searches import MemoryKeptSearches

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.imaging import FakeImaging
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0))
BLUE = picture_file((0, 0, 255))
TAKING_IN = [
    f"{when} {what}"
    for what in ("find_by_digest", "write original", "write large", "write thumbnail", "add")
    for when in ("before", "after")
]
LOSING = ["before forget", "after forget", "before tag", "after tag"]


@pytest.fixture
def moments() -> Moments:
    return Moments(random=Random(7))


@pytest.fixture
def catalog(moments: Moments) -> MemoryCatalog:
    return MomentousCatalog(moments)


@pytest.fixture
def storage(moments: Moments) -> MemoryStorage:
    return MomentousStorage(moments)


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
        encoder, imaging, catalog, catalog, storage, clock, LIMITS.max_upload_bytes, 100
    )


async def images(use_cases: UseCases) -> tuple[Image, ...]:
    return (await use_cases.list(ImageFilter(), Sort(), Window(100))).images


async def has_all_bytes(use_cases: UseCases, storage: MemoryStorage) -> bool:
    return all(
        variant.key_of(image.id) in storage.objects
        for image in await images(use_cases)
        for variant in Variant
    )


@pytest.mark.parametrize("seed", range(5))
async def test_a_hundred_concurrent_uploads_of_twenty_pictures_leave_twenty(  # noqa: PLR0913
    seed: int,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    moments: Moments,
    encoder: FakeEncoder,
    storage: MemoryStorage,
) -> None:
    moments.random.seed(seed)
    files = [picture_file((number, 0, 0)) for number in range(20)]

    outcomes = await asyncio.gather(
        *(
            (use_cases.upload if number % 2 else other_server)([upload(files[number // 5])])
            for number in range(100)
        )
    )

    taken = [each for [each] in outcomes if isinstance(each, UploadedImage)]
    here = {image.id for image in await images(use_cases)}
    assert here == {each.image.id for each in taken}
    assert len(here) == sum(not each.is_duplicate for each in taken) == 20
    assert {variant.key_of(id_) for id_ in here for variant in Variant} == set(storage.objects)
    # Each server works once on a picture; only the other one's work can be in vain.
    assert encoder.calls <= 40


async def test_whoever_loses_the_race_takes_its_bytes_away_and_its_tags_along(
    use_cases: UseCases, other_server: UploadImages, *, moments: Moments, storage: MemoryStorage
) -> None:
    moments.deeds["before add"] = lambda: other_server([upload(RED, "winner.png")], tags=["won"])

    [loser] = await use_cases.upload([upload(RED, "loser.png")], tags=["lost"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=True) == loser
    assert (image.filename, image.tags) == ("winner.png", ("lost", "won"))
    assert {variant.key_of(image.id) for variant in Variant} == set(storage.objects)


async def test_an_image_deleted_before_its_duplicate_is_tagged_is_taken_in_anew(
    use_cases: UseCases, *, moments: Moments, storage: MemoryStorage
) -> None:
    await use_cases.upload([upload(RED)])
    [old] = await images(use_cases)
    moments.deeds["before tag"] = lambda: use_cases.delete([old.id])

    [outcome] = await use_cases.upload([upload(RED)], tags=["sea"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=False) == outcome
    assert (old.id != image.id, image.tags) == (True, ("sea",))
    assert {variant.key_of(image.id) for variant in Variant} == set(storage.objects)


async def test_a_winner_deleted_before_the_loser_tags_it_is_taken_in_anew(
    use_cases: UseCases, other_server: UploadImages, *, moments: Moments, storage: MemoryStorage
) -> None:
    async def delete_winner() -> None:
        await use_cases.delete([image.id for image in await images(use_cases)])

    moments.deeds["before add"] = lambda: other_server([upload(RED)])
    moments.deeds["before tag"] = delete_winner

    [outcome] = await use_cases.upload([upload(RED)], tags=["sea"])

    [image] = await images(use_cases)
    assert UploadedImage(image, is_duplicate=False) == outcome
    assert {variant.key_of(image.id) for variant in Variant} == set(storage.objects)


@pytest.mark.parametrize("seed", range(10))
async def test_uploads_and_deletions_of_one_picture_leave_it_whole_or_not_at_all(
    seed: int,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    moments: Moments,
    storage: MemoryStorage,
) -> None:
    moments.random.seed(seed)

    async def delete_everything() -> None:
        for _ in range(10):
            await use_cases.delete([image.id for image in await images(use_cases)])

    await asyncio.gather(
        *(use_cases.upload([upload(RED)], tags=[str(number)]) for number in range(10)),
        *(other_server([upload(RED)]) for _ in range(10)),
        delete_everything(),
    )

    here = await images(use_cases)
    assert len(here) <= 1
    expected = {variant.key_of(image.id) for image in here for variant in Variant}
    assert expected == set(storage.objects)


@pytest.mark.parametrize("moment", [*TAKING_IN, *LOSING])
async def test_an_upload_cut_off_at_any_moment_leaves_no_row_without_bytes(
    moment: str,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    moments: Moments,
    storage: MemoryStorage,
) -> None:
    if moment in LOSING:
        moments.deeds["before add"] = lambda: other_server([upload(RED)])
    cut = asyncio.create_task(use_cases.upload([upload(RED)], tags=["sea"]))

    async def cut_off() -> None:
        cut.cancel()
        await asyncio.sleep(0)

    moments.deeds[moment] = cut_off
    with pytest.raises(asyncio.CancelledError):
        await cut

    assert moment not in moments.deeds
    assert await has_all_bytes(use_cases, storage)
    await _again_and_sweep(use_cases, storage)


@pytest.mark.parametrize("moment", [*TAKING_IN, *LOSING])
async def test_an_outage_at_any_moment_is_raised_as_it_is_and_loses_no_other_file(
    moment: str,
    *,
    use_cases: UseCases,
    other_server: UploadImages,
    moments: Moments,
    storage: MemoryStorage,
) -> None:
    if moment in LOSING:
        moments.deeds["before add"] = lambda: other_server([upload(RED), upload(BLUE)])
    outage = ConnectionRefusedError("the store is away")

    async def fail() -> None:
        raise outage

    moments.deeds[moment] = fail
    with pytest.raises(ConnectionRefusedError) as raised:
        await use_cases.upload([upload(RED), upload(b"GIF89a"), upload(BLUE)], tags=["sea"])

    assert outage is raised.value
    assert len(await images(use_cases)) in {1, 2}
    assert await has_all_bytes(use_cases, storage)
    await _again_and_sweep(use_cases, storage)


async def _again_and_sweep(use_cases: UseCases, storage: MemoryStorage) -> None:
    """Send the files again, sweep, and find nothing left of what went wrong."""
    red, gif, blue = await use_cases.upload([upload(RED), upload(b"GIF89a"), upload(BLUE)])
    assert isinstance(red, UploadedImage)
    assert isinstance(gif, UnsupportedFormat)
    assert isinstance(blue, UploadedImage)
    sweep = Sweep(
        use_cases.sweep.catalog,
        storage,
        MemoryKeptSearches(),
        lambda: datetime.now(UTC) + 2 * ORPHAN_GRACE_PERIOD,
    )
    await sweep()
    ids = {red.image.id, blue.image.id}
    assert ids == {image.id for image in await images(use_cases)}
    assert {variant.key_of(id_) for id_ in ids for variant in Variant} == set(storage.objects)
