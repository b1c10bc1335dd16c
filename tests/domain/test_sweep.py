"""Collecting what crashes and time leave behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.images import Variant, uuid7
from domain.entities.queries import BySearch, ByText
from domain.entities.searches import SEARCH_LIFETIME
from domain.entities.uploads import UploadedImage
from domain.errors import Misconfigured, Remedy, SearchExpired
from domain.use_cases.maintenance.sweep import CHUNK, GRACE, Sweep, SweepReport
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain import UseCases
    from domain.entities.images import Image
    from tests.fakes.clock import SettableClock
    from tests.fakes.searches import MemoryKeptSearches
    from tests.fakes.storage import MemoryStorage

MOMENT = timedelta(microseconds=1)
AN_ID = UUID("01a20ef3-7f68-76c9-b1dc-bca94db9a249")


async def test_an_empty_library_has_nothing_to_sweep(use_cases: UseCases) -> None:
    assert SweepReport(0, 0, 0) == await use_cases.sweep()


async def test_bytes_that_no_image_points_at_go_and_those_of_images_stay(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file())])
    assert isinstance(outcome, UploadedImage)
    await storage.write(Variant.LARGE.key_of(uuid7()), b"lost", content_type="image/webp")
    clock.pass_time(GRACE + MOMENT)

    assert SweepReport(4, 1, 0) == await use_cases.sweep()
    assert {variant.key_of(outcome.image.id) for variant in Variant} == set(storage.objects)
    assert SweepReport(3, 0, 0) == await use_cases.sweep()


async def test_bytes_stay_as_long_as_their_row_may_still_come(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"young", content_type="image/png")
    clock.pass_time(GRACE)

    assert SweepReport(1, 0, 0) == await use_cases.sweep(force=True)
    clock.pass_time(MOMENT)
    assert SweepReport(1, 1, 0) == await use_cases.sweep(force=True)


@pytest.mark.parametrize(
    "key",
    [
        "readme.txt",
        f"{AN_ID}",
        f"{AN_ID}/notes.txt",
        f"{AN_ID.hex}/original",
        f"{{{AN_ID}}}/original",
        f"backup/{AN_ID}/original",
    ],
)
async def test_what_somebody_else_keeps_in_the_bucket_stays(
    key: str, *, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    storage.objects[key] = b"foreign"
    storage.modified[key] = clock.now
    clock.pass_time(2 * GRACE)

    assert SweepReport(1, 0, 0) == await use_cases.sweep()
    assert {key: b"foreign"} == storage.objects


class LabelRequest(MemoryCatalog):
    """Remembers for how many images it was asked at once."""

    most = 0

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        self.most = max(self.most, len(ids))
        return await super().get(ids)


async def test_the_catalog_is_asked_for_a_chunk_at_most(
    storage: MemoryStorage, searches: MemoryKeptSearches, clock: SettableClock
) -> None:
    asked = LabelRequest()
    for _ in range(2 * CHUNK + 7):
        await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"", content_type="image/png")
    clock.pass_time(GRACE + MOMENT)

    await Sweep(asked, storage, searches, clock)(force=True)
    assert (asked.most, storage.objects) == (CHUNK, {})


@pytest.mark.parametrize("orphans", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
async def test_a_large_storage_is_swept_a_chunk_at_a_time(
    orphans: int, *, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    for number in range(orphans):
        if number == 3:
            await use_cases.upload([upload(picture_file())])
        await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"", content_type="image/png")
    clock.pass_time(GRACE + MOMENT)
    looked_at: list[int] = []

    assert SweepReport(orphans + 3, orphans, 0) == await use_cases.sweep(progress=looked_at.append)
    assert len(storage.objects) == 3
    assert [*range(CHUNK, orphans + 4, CHUNK), orphans + 3] == looked_at


async def test_searches_go_when_they_have_expired(
    use_cases: UseCases, clock: SettableClock
) -> None:
    old = (await use_cases.search(ByText("red"))).search_id
    clock.pass_time(MOMENT)
    young = (await use_cases.search(ByText("red"))).search_id
    clock.pass_time(SEARCH_LIFETIME)

    assert SweepReport(0, 0, 1) == await use_cases.sweep()
    assert young == (await use_cases.search(BySearch(young))).search_id
    with pytest.raises(SearchExpired):
        await use_cases.search(BySearch(old))


async def test_what_a_crash_in_the_middle_of_a_deletion_leaves_is_swept(
    use_cases: UseCases, catalog: MemoryCatalog, *, storage: MemoryStorage, clock: SettableClock
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file())])
    assert isinstance(outcome, UploadedImage)
    clock.pass_time(GRACE + MOMENT)
    # A crash between the row and the bytes.
    await catalog.delete([outcome.image.id])

    assert SweepReport(3, 3, 0) == await use_cases.sweep(force=True)
    assert storage.objects == {}


async def test_a_sweep_of_an_empty_library_removes_nothing_unless_told_to(
    storage: MemoryStorage, use_cases: UseCases, clock: SettableClock
) -> None:
    await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"left", content_type="image/png")
    clock.pass_time(timedelta(days=2))
    with pytest.raises(Misconfigured, match=r"^The library has no image, ") as refusal:
        await use_cases.sweep()
    assert Remedy.CHECK_STORAGE is refusal.value.remedy
    assert 1 == len(storage.objects)
    assert 1 == (await use_cases.sweep(force=True)).removed_objects
