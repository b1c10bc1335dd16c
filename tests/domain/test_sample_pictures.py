"""Samples of a library's pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Variant
from domain.use_cases.library.walk import every_image
from domain.use_cases.models.sample_pictures import SamplePictures
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Pixels
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks


@pytest.fixture
def sample(library: LibraryWithTasks) -> SamplePictures:
    return SamplePictures(library.catalog, library.storage, library.external_files)


async def fill(use_cases: UseCases, count: int) -> None:
    await use_cases.upload([upload(picture_file(words=str(number))) for number in range(count)])


def colours(pictures: list[Pixels]) -> list[bytes]:
    return [picture.rgb[:3] for picture in pictures]


async def test_a_sample_has_as_many_pictures_as_wanted_or_all_that_there_are(
    sample: SamplePictures, use_cases: UseCases
) -> None:
    assert [] == await sample(5, FakeImaging())
    await fill(use_cases, 8)
    assert [bytes(COLOURS["red"])] * 5 == colours(await sample(5, FakeImaging()))
    assert 8 == len(await sample(100, FakeImaging()))


async def test_a_sample_has_pictures_of_other_places_and_none_that_is_not_ready(
    sample: SamplePictures, library: LibraryWithTasks, index: IndexImages
) -> None:
    library.add_object(picture_file(COLOURS["blue"]))
    assert [1] == [ended async for ended in index()]
    await library.add_pending()
    assert [bytes(COLOURS["blue"])] == colours(await sample(5, FakeImaging()))


async def test_pictures_that_cannot_be_read_are_left_out(
    sample: SamplePictures, use_cases: UseCases, library: LibraryWithTasks
) -> None:
    await fill(use_cases, 3)
    missing, damaged, _ = [image.id async for image in every_image(library.catalog)]
    await library.storage.delete([Variant.ORIGINAL.key_of(missing)])
    await library.storage.write(Variant.ORIGINAL.key_of(damaged), b"?", content_type="image/png")
    assert 1 == len(await sample(5, FakeImaging()))
