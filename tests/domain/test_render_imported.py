"""LARGE of imported images, which is rendered when no task is waiting."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Variant
from domain.errors import ImageNotFound
from domain.runtime.periodic import render_imported
from domain.use_cases.library.read import read_all
from domain.use_cases.library.render_imported import RENDER_BATCH_SIZE
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks


async def import_pictures(
    index: IndexImages, library: LibraryWithTasks, count: int = 1
) -> list[Image]:
    found = [
        library.add_object(picture_file((0, number, 255)), name=f"{number}.png")
        for number in range(count)
    ]
    _ = [ended async for ended in index()]
    return [await library.image(each.id) for each in found]


def has_large(library: LibraryWithTasks, image: Image) -> bool:
    return Variant.LARGE.key_of(image.id) in library.storage.objects


async def test_large_of_imported_images_is_rendered_once(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    images = await import_pictures(index, library, RENDER_BATCH_SIZE + 1)
    assert not any(has_large(library, image) for image in images)
    assert [RENDER_BATCH_SIZE, 1, 0, 0] == [await use_cases.render_imported() for _ in range(4)]
    assert all(has_large(library, image) for image in images)
    assert not (await library.image(images[0].id)).lacks_large


async def test_nothing_is_rendered_while_an_import_has_tasks(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    [image] = await import_pictures(index, library)
    await library.add_pending()
    assert 0 == await use_cases.render_imported()
    _ = [ended async for ended in index()]
    assert 1 == await use_cases.render_imported()
    assert has_large(library, image)


async def test_large_is_rendered_at_its_first_request_and_not_again(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    [image] = await import_pictures(index, library)
    large = await read_all(await use_cases.read(image, Variant.LARGE))
    assert large == library.storage.objects[Variant.LARGE.key_of(image.id)]
    assert 0 == await use_cases.render_imported()


async def test_large_of_a_file_that_vanished_is_refused_and_not_tried_again(
    use_cases: UseCases,
    index: IndexImages,
    library: LibraryWithTasks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vanished, other = await import_pictures(index, library, 2)
    assert vanished.source
    del library.external_files.files[vanished.source]
    for _ in range(4):
        await use_cases.render_imported()
    assert 1 == len(caplog.messages)
    assert f"LARGE of image {vanished.id} is not rendered ahead" in caplog.text
    assert has_large(library, other)
    with pytest.raises(ImageNotFound, match="is missing at its source, or has changed there"):
        await use_cases.read(vanished, Variant.LARGE)


async def test_a_stopped_run_is_continued_by_the_next_one(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    [image] = await import_pictures(index, library)
    # A process wrote LARGE, and was killed before it noted that.
    await library.storage.write(Variant.LARGE.key_of(image.id), b"", content_type="image/webp")
    assert 1 == await use_cases.render_imported()
    assert library.storage.objects[Variant.LARGE.key_of(image.id)]
    assert not (await library.image(image.id)).lacks_large


async def test_a_server_renders_periodically(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    images = await import_pictures(index, library, 2)
    with suppress(TimeoutError):
        await asyncio.wait_for(render_imported(lambda: use_cases, every=0), 0.1)
    assert all(has_large(library, image) for image in images)
