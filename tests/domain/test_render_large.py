"""LARGE of uploads, which is rendered at its first request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import may_use_reserve
from domain.entities.images import ImageStatus, Variant
from domain.entities.storage import ByteRange
from domain.errors import ImageNotFound, ImageProcessing, Overloaded, Unavailable
from domain.use_cases.library import render_large as render_large_module
from domain.use_cases.library.read import read_all
from domain.use_cases.library.render_large import (
    MAX_RENDERINGS_WAITING,
    RENDERING_CONCURRENCY,
    RenderLarge,
)
from tests.fakes.external_files import MemoryExternalFiles
from tests.fakes.files import upload
from tests.fakes.images import image_with
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.renditions import MemoryRenditions

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.uploads import UploadedImage
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0), (3200, 1600))


@dataclass
class GatedImaging(FakeImaging):
    """Counts the renderings, which wait until the gate is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    renderings: int = 0
    may_use_reserve: list[bool] = field(default_factory=list)

    async def render_large(self, data: bytes) -> bytes:
        self.renderings += 1
        self.may_use_reserve.append(may_use_reserve.get())
        self.started.set()
        await self.gate.wait()
        return await super().render_large(data)


@pytest.fixture
def gated() -> GatedImaging:
    return GatedImaging()


@pytest.fixture
def render(gated: GatedImaging, catalog: MemoryCatalog, storage: MemoryStorage) -> RenderLarge:
    return RenderLarge(gated, catalog, storage, MemoryExternalFiles(), MemoryRenditions(catalog))


async def upload_red(use_cases: UseCases) -> Image:
    [outcome] = await use_cases.upload([upload(RED)])
    uploaded: UploadedImage = outcome  # type: ignore[assignment]  # not refused
    return uploaded.image


async def test_large_is_rendered_and_stored_at_its_first_request(
    use_cases: UseCases, storage: MemoryStorage, imaging: FakeImaging
) -> None:
    image = await upload_red(use_cases)
    key = Variant.LARGE.key_of(image.id)
    assert key not in storage.objects
    large = await read_all(await use_cases.read(image, Variant.LARGE))
    assert await imaging.render_large(RED) == large == storage.objects[key]
    written = storage.modified[key]
    part = await use_cases.read(image, Variant.LARGE, byte_range=ByteRange(2, 4))
    assert large[2:5] == await read_all(part)
    assert written == storage.modified[key]


async def test_large_is_served_where_it_cannot_be_stored(
    use_cases: UseCases,
    storage: MemoryStorage,
    imaging: FakeImaging,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = await upload_red(use_cases)

    async def write(*_: object, **__: object) -> None:
        raise Unavailable("The server's disk is full.")

    monkeypatch.setattr(storage, "write", write)
    large = await read_all(await use_cases.read(image, Variant.LARGE))
    assert await imaging.render_large(RED) == large
    part = await use_cases.read(image, Variant.LARGE, byte_range=ByteRange(2, 4))
    assert (len(large), large[2:5]) == (part.size, await read_all(part))
    with pytest.raises(ValueError, match="the range contains none"):
        await use_cases.read(image, Variant.LARGE, byte_range=ByteRange(len(large)))
    assert (
        f"LARGE of image {image.id} could not be stored: The server's disk is full." in caplog.text
    )


async def test_concurrent_requests_share_one_rendering_and_none_of_them_ends_it(
    use_cases: UseCases, render: RenderLarge, gated: GatedImaging, storage: MemoryStorage
) -> None:
    image = await upload_red(use_cases)
    requests = [asyncio.create_task(render(image)) for _ in range(3)]
    await gated.started.wait()
    requests[0].cancel()
    await asyncio.gather(requests[0], return_exceptions=True)
    gated.gate.set()
    await asyncio.gather(*requests[1:])
    assert 1 == gated.renderings
    assert Variant.LARGE.key_of(image.id) in storage.objects


async def test_a_rendering_for_which_nobody_waits_any_more_is_finished(
    use_cases: UseCases, render: RenderLarge, gated: GatedImaging, storage: MemoryStorage
) -> None:
    image = await upload_red(use_cases)
    request = asyncio.create_task(render(image))
    await gated.started.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    gated.gate.set()
    await render(image)
    assert 1 == gated.renderings
    assert Variant.LARGE.key_of(image.id) in storage.objects


async def test_a_rendering_that_a_caller_without_a_key_starts_may_use_the_reserve(
    use_cases: UseCases, render: RenderLarge, gated: GatedImaging
) -> None:
    image = await upload_red(use_cases)
    may_use_reserve.set(False)
    gated.gate.set()
    await render(image)
    assert [True] == gated.may_use_reserve
    assert not may_use_reserve.get()


@pytest.mark.parametrize("is_in_trash", [False, True])
async def test_an_image_that_is_deleted_while_large_is_rendered_leaves_no_bytes(
    use_cases: UseCases,
    render: RenderLarge,
    gated: GatedImaging,
    storage: MemoryStorage,
    *,
    is_in_trash: bool,
) -> None:
    image = await upload_red(use_cases)
    request = asyncio.create_task(render(image))
    await gated.started.wait()
    lifetime = timedelta(days=1) if is_in_trash else timedelta(0)
    await replace(use_cases.delete, trash_lifetime=lifetime)([image.id])
    gated.gate.set()
    if is_in_trash:
        await request
        assert Variant.LARGE.key_of(image.id) in storage.objects
    else:
        with pytest.raises(ImageNotFound):
            await request
        assert {} == storage.objects


async def test_large_is_not_rendered_of_a_missing_original(
    use_cases: UseCases, storage: MemoryStorage
) -> None:
    image = await upload_red(use_cases)
    original = Variant.ORIGINAL.key_of(image.id)
    await storage.delete([original])
    with pytest.raises(ImageNotFound, match=f"The file of image {image.id} is missing"):
        await use_cases.read(image, Variant.LARGE)
    # This is not remembered.
    await storage.write(original, RED, content_type="image/png")
    assert await use_cases.read(image, Variant.LARGE)


async def test_an_original_that_cannot_be_rendered_is_tried_once_in_some_minutes(
    use_cases: UseCases,
    render: RenderLarge,
    gated: GatedImaging,
    storage: MemoryStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = await upload_red(use_cases)
    original = Variant.ORIGINAL.key_of(image.id)
    await storage.write(original, b"rot", content_type="image/png")
    gated.gate.set()
    for _ in range(3):
        with pytest.raises(ImageNotFound, match=f"LARGE of image {image.id} cannot be rendered"):
            await render(image)
    assert 1 == gated.renderings
    await storage.write(original, RED, content_type="image/png")
    monkeypatch.setattr(render_large_module, "REFUSED_SECONDS", 0.0)
    await render(image)
    assert Variant.LARGE.key_of(image.id) in storage.objects


async def test_few_refused_originals_are_remembered(
    use_cases: UseCases,
    render: RenderLarge,
    gated: GatedImaging,
    storage: MemoryStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render_large_module, "MAX_REFUSED", 1)
    images = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        [outcome] = await use_cases.upload([upload(picture_file(colour, (3200, 1600)))])
        images.append(outcome.image)  # type: ignore[union-attr]  # not refused
        key = Variant.ORIGINAL.key_of(images[-1].id)
        await storage.write(key, b"rot", content_type="image/png")
    gated.gate.set()
    for image in (images[0], images[1], images[1], images[0]):
        with pytest.raises(ImageNotFound, match="cannot be rendered"):
            await render(image)
    assert 3 == gated.renderings


async def test_large_of_an_image_that_is_not_ready_or_has_lost_it_is_not_rendered(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    pending = await library.add_pending()
    with pytest.raises(ImageProcessing):
        await use_cases.read(pending, Variant.LARGE)
    with pytest.raises(ImageNotFound):
        await use_cases.read(replace(pending, status=ImageStatus.FAILED), Variant.LARGE)
    found = library.add_object(picture_file((0, 0, 255)))
    _ = [ended async for ended in index()]
    assert await use_cases.read(await library.image(found.id), Variant.LARGE)
    external = await library.image(found.id)
    await library.storage.delete([Variant.LARGE.key_of(external.id)])
    with pytest.raises(ImageNotFound):
        await use_cases.read(external, Variant.LARGE)


async def test_renderings_past_the_limit_are_refused(
    render: RenderLarge, gated: GatedImaging, storage: MemoryStorage, catalog: MemoryCatalog
) -> None:
    most = RENDERING_CONCURRENCY + MAX_RENDERINGS_WAITING
    images = [image_with(status=ImageStatus.READY) for _ in range(most + 1)]
    for image in images:
        catalog.put(image)
        key = Variant.ORIGINAL.key_of(image.id)
        await storage.write(key, RED, content_type="image/png")
    waiting = [asyncio.create_task(render(image)) for image in images[:most]]
    await gated.started.wait()
    with pytest.raises(Overloaded):
        await render(images[most])
    assert RENDERING_CONCURRENCY == gated.renderings
    gated.gate.set()
    await asyncio.gather(*waiting)
    assert most == gated.renderings
