"""Doing the work that is written down."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageStatus, Variant
from domain.entities.uploads import sha256_of
from domain.entities.work import WorkCounts
from domain.use_cases.indexing import AT_ONCE, KEPT_AT_ONCE
from tests.domain.libraries import RED, Library
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels
    from domain.entities.work import Task
    from domain.use_cases.indexing import IndexImages
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.imaging import FakeImaging


async def do_all(index: IndexImages) -> int:
    return sum([ended async for ended in index()])


async def test_an_image_that_is_processing_becomes_ready_with_renditions_and_an_embedding(
    index: IndexImages, library: Library
) -> None:
    image = await library.expect()
    assert 1 == await do_all(index)
    ready = await library.image(image.id)
    assert (ImageStatus.READY, 8, 6) == (ready.status, ready.width, ready.height)
    assert ready.placeholder
    assert ready.perceptual_hash
    assert {image.id} == set(await library.catalog.embeddings([image.id]))
    assert {variant.key_of(image.id) for variant in Variant} == set(library.storage.objects)


async def test_an_object_becomes_an_image_whose_original_stays_where_it_is(
    index: IndexImages, library: Library
) -> None:
    found = library.find(name="folder/boat%20one.png", tags=("a",))
    assert 1 == await do_all(index)
    image = await library.image(found.id)
    assert ("boat%20one.png", ("a",), found.source) == (image.filename, image.tags, image.source)
    assert await sha256_of(RED) == image.sha256
    kept = {Variant.LARGE.key_of(image.id), Variant.THUMBNAIL.key_of(image.id)}
    assert kept == set(library.storage.objects)


async def test_the_same_bytes_twice_leave_one_image_and_no_bytes_of_the_other(
    index: IndexImages, library: Library
) -> None:
    found = [library.find(name=name) for name in ("a.png", "b.png")]
    assert 2 == await do_all(index)
    [image_id] = {library.work.became[each.id] for each in found}
    assert {image_id} == {each.id for each in (await library.catalog.get([image_id])).values()}
    assert {f"{image_id}/large", f"{image_id}/thumbnail"} == set(library.storage.objects)


async def test_a_ready_image_gets_an_embedding_and_nothing_else(
    index: IndexImages, library: Library, encoder: FakeEncoder
) -> None:
    image = await library.expect()
    await do_all(index)
    ready, written = await library.image(image.id), dict(library.storage.modified)
    library.work.add(ready)
    assert 1 == await do_all(index)
    assert 2 == len(encoder.pictures)
    assert (ready, written) == (await library.image(image.id), library.storage.modified)


async def test_a_ready_image_whose_original_is_gone_is_embedded_by_what_is_left(
    index: IndexImages, library: Library
) -> None:
    found = library.find()
    await do_all(index)
    library.sources.objects.clear()
    library.work.add(await library.image(found.id))
    assert 1 == await do_all(index)
    assert WorkCounts(0, 0, 0) == await library.work.counts()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"words", "This file is no picture"),
        (b"", "is empty"),
        (b"PICTURE 1x" + b"1" * 2_000, "at most 1,000"),
    ],
)
async def test_what_is_no_picture_keeps_the_reason_and_holds_up_no_other(
    index: IndexImages, library: Library, data: bytes, reason: str
) -> None:
    bad, good = library.find(data, "bad.png"), library.find()
    assert 2 == await do_all(index)
    assert reason in library.work.refused[bad.id]
    assert {good.id} == set(await library.catalog.get([bad.id, good.id]))


async def test_an_image_whose_bytes_cannot_be_decoded_has_failed(
    index: IndexImages, library: Library
) -> None:
    image = await library.expect(b"words")
    assert 1 == await do_all(index)
    failed = await library.image(image.id)
    assert ImageStatus.FAILED is failed.status
    assert "This file is no picture. Send one that starts with PICTURE." == failed.failure_reason


async def test_an_object_that_has_gone_away_says_so(index: IndexImages, library: Library) -> None:
    found = library.find()
    library.sources.objects.clear()
    assert 1 == await do_all(index)
    assert "Its bytes are not where they were." == library.work.refused[found.id]


async def test_an_image_that_is_deleted_meanwhile_leaves_no_bytes(
    index: IndexImages, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await library.expect()
    lease = library.work.lease

    async def lease_and_delete(limit: int, *, seconds: float) -> Sequence[Task]:
        tasks = await lease(limit, seconds=seconds)
        await library.catalog.delete([image.id])
        return tasks

    monkeypatch.setattr(library.work, "lease", lease_and_delete)
    await do_all(index)
    assert {} == library.storage.objects
    assert {} == await library.catalog.get([image.id])


async def test_an_outage_puts_a_task_off_and_it_is_done_when_that_is_over(
    index: IndexImages,
    library: Library,
    imaging: FakeImaging,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = await library.expect()
    decode = imaging.decode

    async def away(_: bytes) -> None:
        raise ConnectionError("the store is away")

    monkeypatch.setattr(imaging, "decode", away)
    assert 0 == await do_all(index)
    assert "ConnectionError: the store is away" == library.work.entries[image.id].error
    monkeypatch.setattr(imaging, "decode", decode)
    assert 0 == await do_all(index)
    clock.pass_time(timedelta(minutes=1))
    assert 1 == await do_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_a_busy_model_is_waited_for(
    index: IndexImages, library: Library, encoder: FakeEncoder
) -> None:
    await library.expect()
    encoder.overloaded = True
    doing = asyncio.create_task(do_all(index))
    await asyncio.sleep(0.01)
    encoder.overloaded = False
    assert 1 == await doing


async def test_few_pictures_are_in_memory_at_once_and_many_are_kept_together(
    index: IndexImages,
    library: Library,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(100):
        library.find(picture_file(words=str(number)), f"{number}.png")
    at_once, most, finished = 0, 0, []
    encode, finish = encoder.encode_images, library.work.finish

    async def counting(pictures: Sequence[Pixels]) -> list[Embedding]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return await encode(pictures)

    async def noting(done: Sequence[object]) -> Sequence[UUID]:
        finished.append(len(done))
        return await finish(done)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(encoder, "encode_images", counting)
    monkeypatch.setattr(library.work, "finish", noting)
    assert 100 == await do_all(index)
    assert most <= AT_ONCE
    assert all(number >= KEPT_AT_ONCE for number in finished[:-1])
