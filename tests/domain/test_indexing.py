"""Indexing the tasks of the work queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageStatus, Variant
from domain.entities.uploads import sha256_of
from domain.entities.work import WorkCounts
from domain.errors import Overloaded
from domain.use_cases.indexing import FINISH_BATCH_SIZE, INDEXING_CONCURRENCY
from tests.domain.library_with_tasks import RED, LibraryWithTasks
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


async def index_all(index: IndexImages) -> int:
    return sum([ended async for ended in index()])


async def test_a_processing_image_becomes_ready_with_renditions_and_an_embedding(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    image = await library.add_pending()
    assert 1 == await index_all(index)
    ready = await library.image(image.id)
    assert (ImageStatus.READY, 8, 6) == (ready.status, ready.width, ready.height)
    assert ready.placeholder
    assert ready.perceptual_hash
    assert {image.id} == set(await library.catalog.embeddings([image.id]))
    kept = {variant.key_of(image.id) for variant in image.required_variants}
    assert kept == set(library.storage.objects)


async def test_an_external_object_becomes_an_image_and_its_original_is_not_copied(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    found = library.add_object(name="folder/boat%20one.png", tags=("a",))
    assert 1 == await index_all(index)
    image = await library.image(found.id)
    assert ("boat%20one.png", ("a",), found.source) == (image.filename, image.tags, image.source)
    assert await sha256_of(RED) == image.sha256
    assert {Variant.THUMBNAIL.key_of(image.id)} == set(library.storage.objects)


async def test_two_objects_with_the_same_bytes_become_one_image(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    found = [library.add_object(name=name) for name in ("a.png", "b.png")]
    assert 2 == await index_all(index)
    [image_id] = {library.work_queue.became[each.id] for each in found}
    assert {image_id} == {each.id for each in (await library.catalog.get([image_id])).values()}
    assert {f"{image_id}/thumbnail"} == set(library.storage.objects)


async def test_a_ready_image_gets_an_embedding_and_nothing_else(
    index: IndexImages, library: LibraryWithTasks, encoder: FakeEncoder
) -> None:
    image = await library.add_pending()
    await index_all(index)
    ready, written = await library.image(image.id), dict(library.storage.modified)
    library.work_queue.add(ready)
    assert 1 == await index_all(index)
    assert 2 == len(encoder.pictures)
    assert (ready, written) == (await library.image(image.id), library.storage.modified)


async def test_a_ready_image_without_its_original_is_embedded_from_its_rendition(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    found = library.add_object()
    await index_all(index)
    library.external_files.files.clear()
    library.work_queue.add(await library.image(found.id))
    assert 1 == await index_all(index)
    assert WorkCounts(0, 0, 0) == await library.work_queue.counts()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"words", "This file is no picture"),
        (b"", "is empty"),
        (b"PICTURE 1x" + b"1" * 2_000, "at most 1,000"),
    ],
)
async def test_an_object_that_is_not_a_picture_is_refused_and_others_are_indexed(
    index: IndexImages, library: LibraryWithTasks, data: bytes, reason: str
) -> None:
    bad, good = library.add_object(data, "bad.png"), library.add_object()
    assert 2 == await index_all(index)
    assert reason in library.work_queue.refused[bad.id]
    assert {good.id} == set(await library.catalog.get([bad.id, good.id]))


async def test_an_image_whose_bytes_cannot_be_decoded_becomes_failed(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    image = await library.add_pending(b"words")
    assert 1 == await index_all(index)
    failed = await library.image(image.id)
    assert ImageStatus.FAILED is failed.status
    assert "This file is no picture. Send one that starts with PICTURE." == failed.failure_reason


async def test_an_object_that_vanished_is_refused_with_the_reason(
    index: IndexImages, library: LibraryWithTasks
) -> None:
    found = library.add_object()
    library.external_files.files.clear()
    assert 1 == await index_all(index)
    assert (
        "The file is missing or has changed; import or upload it again."
        == library.work_queue.refused[found.id]
    )


async def test_an_image_deleted_during_indexing_leaves_no_bytes(
    index: IndexImages, library: LibraryWithTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await library.add_pending()
    lease = library.work_queue.lease

    async def lease_and_delete(limit: int, *, seconds: float) -> Sequence[Task]:
        tasks = await lease(limit, seconds=seconds)
        await library.catalog.delete([image.id])
        return tasks

    monkeypatch.setattr(library.work_queue, "lease", lease_and_delete)
    await index_all(index)
    assert {} == library.storage.objects
    assert {} == await library.catalog.get([image.id])


async def test_a_task_is_retried_after_a_backoff_when_an_outage_is_over(
    index: IndexImages,
    library: LibraryWithTasks,
    imaging: FakeImaging,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = await library.add_pending()
    decode = imaging.decode

    async def fail(_: bytes, **__: object) -> None:
        raise ConnectionError("the store is away")

    monkeypatch.setattr(imaging, "decode", fail)
    assert 0 == await index_all(index)
    assert "ConnectionError: the store is away" == library.work_queue.entries[image.id].error
    monkeypatch.setattr(imaging, "decode", decode)
    assert 0 == await index_all(index)
    clock.pass_time(timedelta(minutes=1))
    assert 1 == await index_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_an_image_whose_decoding_was_interrupted_stays_processing_and_is_tried_again(
    index: IndexImages,
    library: LibraryWithTasks,
    imaging: FakeImaging,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = await library.add_pending()

    async def interrupt(_: bytes, **__: object) -> None:
        raise Overloaded("The server could not finish decoding this picture.")

    with monkeypatch.context() as patch:
        patch.setattr(imaging, "decode", interrupt)
        assert 0 == await index_all(index)
    assert ImageStatus.PROCESSING is (await library.image(image.id)).status
    clock.pass_time(timedelta(minutes=1))
    assert 1 == await index_all(index)
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_a_task_waits_while_the_encoder_is_overloaded(
    index: IndexImages, library: LibraryWithTasks, encoder: FakeEncoder
) -> None:
    await library.add_pending()
    encoder.overloaded = True
    indexing = asyncio.create_task(index_all(index))
    await asyncio.sleep(0.01)
    encoder.overloaded = False
    assert 1 == await indexing


async def test_concurrency_is_bounded_and_results_are_stored_in_batches(
    index: IndexImages,
    library: LibraryWithTasks,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(100):
        library.add_object(picture_file(words=str(number)), f"{number}.png")
    at_once, most, finished = 0, 0, []
    encode, finish = encoder.encode_images, library.work_queue.finish

    async def encode_and_count(pictures: Sequence[Pixels]) -> list[Embedding]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return await encode(pictures)

    async def finish_and_record(done: Sequence[object]) -> Sequence[UUID]:
        finished.append(len(done))
        return await finish(done)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(encoder, "encode_images", encode_and_count)
    monkeypatch.setattr(library.work_queue, "finish", finish_and_record)
    assert 100 == await index_all(index)
    assert most <= INDEXING_CONCURRENCY
    assert all(number >= FINISH_BATCH_SIZE for number in finished[:-1])
