"""Uploading the bytes of an existing image again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import MAX_TAGS_PER_IMAGE, ImageStatus, Variant
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument, Unavailable
from domain.use_cases.uploads.reupload import reupload
from tests.domain.library_with_tasks import RED, LibraryWithTasks
from tests.fakes.files import upload
from tests.fakes.images import NOON
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain import UseCases
    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image
    from domain.use_cases.indexing import IndexImages


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_uploading_a_picture_with_an_external_source_copies_its_original(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks, *, is_deleted: bool
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    if is_deleted:
        await library.catalog.delete([found.id])
    [outcome] = await use_cases.upload([upload(RED)], tags=["mine"])
    assert isinstance(outcome, UploadedImage)
    assert (is_deleted, not is_deleted) == (outcome.image.id != found.id, outcome.is_duplicate)
    assert (None, ("mine",)) == (outcome.image.source, outcome.image.tags)
    library.external_files.files.clear()
    assert RED == library.storage.objects[Variant.ORIGINAL.key_of(outcome.image.id)]


@pytest.mark.parametrize("is_in_trash", [False, True])
async def test_an_image_deleted_while_it_is_uploaded_again_has_bytes_only_in_the_trash(
    library: LibraryWithTasks,
    index: IndexImages,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_in_trash: bool,
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    image = await library.image(found.id)
    trash = MemoryTrash(library.catalog)
    mark_copied = library.catalog.mark_copied

    async def delete_and_mark_copied(image_id: UUID) -> Image | None:
        if is_in_trash:
            await trash.add([image_id], NOON)
        else:
            await library.catalog.delete([image_id])
        return await mark_copied(image_id)

    monkeypatch.setattr(library.catalog, "mark_copied", delete_and_mark_copied)
    assert await reupload(library.catalog, trash, library.storage, image, RED, tags=()) is None
    assert is_in_trash is (Variant.ORIGINAL.key_of(image.id) in library.storage.objects)


@pytest.fixture
async def missing(library: LibraryWithTasks, index: IndexImages) -> Image:
    """An indexed image in the trash, whose file has vanished."""
    found = library.add_object(tags=tuple(f"tag {number}" for number in range(MAX_TAGS_PER_IMAGE)))
    assert [1] == [ended async for ended in index()]
    library.external_files.files.clear()
    await MemoryTrash(library.catalog).add_missing([found.id], NOON)
    [image] = library.catalog.all_kept()
    assert image.deleted_at is not None
    return image


async def test_an_image_in_the_trash_stays_there_where_its_upload_is_refused(
    use_cases: UseCases, library: LibraryWithTasks, missing: Image
) -> None:
    objects = dict(library.storage.objects)
    [outcome] = await use_cases.upload([upload(RED)], tags=["one more"])
    assert isinstance(outcome, InvalidArgument)
    assert ([], [missing]) == (library.catalog.all(), library.catalog.all_kept())
    assert objects == library.storage.objects


async def test_an_image_in_the_trash_stays_there_where_its_original_cannot_be_stored(
    use_cases: UseCases,
    library: LibraryWithTasks,
    missing: Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("The storage is away.")

    with monkeypatch.context() as patch:
        patch.setattr(library.storage, "write", fail)
        with pytest.raises(Unavailable):
            await use_cases.upload([upload(RED)])
    assert ([], [missing]) == (library.catalog.all(), library.catalog.all_kept())
    [outcome] = await use_cases.upload([upload(RED)])
    assert isinstance(outcome, UploadedImage)
    assert (missing.id, None) == (outcome.image.id, outcome.image.source)
    assert RED == library.storage.objects[Variant.ORIGINAL.key_of(missing.id)]


async def test_a_crash_after_any_change_of_an_upload_leaves_no_live_image_without_its_original(
    library: LibraryWithTasks, missing: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(image_id: UUID) -> Image | None:
        raise KeyboardInterrupt(image_id)

    monkeypatch.setattr(library.catalog, "mark_copied", crash)
    trash = MemoryTrash(library.catalog)
    await reupload(library.catalog, trash, library.storage, missing, RED, tags=())
    [restored] = library.catalog.all()
    assert (missing.id, None) == (restored.id, restored.source)
    assert RED == library.storage.objects[Variant.ORIGINAL.key_of(missing.id)]


@pytest.mark.parametrize("end", ["deleted", "restored"])
async def test_an_image_that_leaves_the_trash_while_it_is_uploaded_keeps_bytes_if_it_exists(
    end: str, library: LibraryWithTasks, missing: Image
) -> None:
    class Raced(MemoryTrash):
        async def restore(
            self, ids: Sequence[UUID], *, are_copied: bool = False
        ) -> dict[UUID, Image]:
            assert are_copied
            assert RED == library.storage.objects[key]
            if end == "deleted":
                await library.catalog.delete(ids)
            else:
                await super().restore(ids)
            return await super().restore(ids)

    key = Variant.ORIGINAL.key_of(missing.id)
    trash = Raced(library.catalog)
    assert await reupload(library.catalog, trash, library.storage, missing, RED, tags=()) is None
    assert (end == "restored") is (key in library.storage.objects)


async def test_uploading_a_picture_that_waits_for_a_worker_indexes_it(
    use_cases: UseCases, index: IndexImages, library: LibraryWithTasks
) -> None:
    waiting = await library.add_pending()
    [outcome] = await use_cases.upload([upload(RED)], tags=["mine"])
    assert isinstance(outcome, UploadedImage)
    assert (waiting.id, True) == (outcome.image.id, outcome.is_duplicate)
    assert (ImageStatus.READY, ("mine",)) == (outcome.image.status, outcome.image.tags)
    assert await library.image(waiting.id) == outcome.image
    assert {waiting.id} == set(await library.catalog.embeddings([waiting.id]))
    assert {variant.key_of(waiting.id) for variant in waiting.required_variants} == set(
        library.storage.objects
    )
    assert [1] == [ended async for ended in index()]
    assert await library.image(waiting.id) == outcome.image


@pytest.mark.parametrize("end", ["deleted", "in the trash", "failed", "ready"])
async def test_a_picture_that_stops_waiting_while_it_is_uploaded_again_is_found(
    end: str, use_cases: UseCases, library: LibraryWithTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await library.add_pending()
    make_ready = library.catalog.make_ready
    trash = MemoryTrash(library.catalog)

    async def end_and_make_ready(image: Image, embedding: Embedding) -> None:
        if end == "deleted":
            await library.catalog.delete([image.id])
        elif end == "in the trash":
            monkeypatch.setattr(library.catalog, "make_ready", make_ready)
            await trash.add([image.id], NOON)
        elif end == "failed":
            library.catalog.put(replace(waiting, status=ImageStatus.FAILED))
        else:
            await make_ready(image, embedding)
        await make_ready(image, embedding)

    monkeypatch.setattr(library.catalog, "make_ready", end_and_make_ready)
    [outcome] = await use_cases.upload([upload(RED)])
    assert isinstance(outcome, UploadedImage)
    is_same = end in {"in the trash", "ready"}
    assert (is_same, is_same) == (outcome.image.id == waiting.id, outcome.is_duplicate)
    assert ImageStatus.READY is outcome.image.status
    assert [outcome.image] == library.catalog.all()
    kept = {variant.key_of(outcome.image.id) for variant in outcome.image.required_variants}
    assert kept == set(library.storage.objects)
