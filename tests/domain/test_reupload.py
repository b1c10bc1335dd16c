"""Sending the bytes of a picture that is here already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Variant
from domain.entities.uploads import UploadedImage
from domain.use_cases.uploads.reupload import reupload
from tests.domain.libraries import RED, Library
from tests.fakes.files import upload

if TYPE_CHECKING:
    from uuid import UUID

    from domain import UseCases
    from domain.entities.images import Image
    from domain.use_cases.indexing import IndexImages


@pytest.mark.parametrize("is_gone", [False, True])
async def test_who_sends_a_picture_that_lies_elsewhere_has_it_kept(
    use_cases: UseCases, index: IndexImages, library: Library, *, is_gone: bool
) -> None:
    found = library.find()
    assert [1] == [ended async for ended in index()]
    if is_gone:
        await library.catalog.delete([found.id])
    [taken] = await use_cases.upload([upload(RED)], tags=["mine"])
    assert isinstance(taken, UploadedImage)
    assert (is_gone, not is_gone) == (taken.image.id != found.id, taken.is_duplicate)
    assert (None, ("mine",)) == (taken.image.source, taken.image.tags)
    library.sources.objects.clear()
    assert RED == library.storage.objects[Variant.ORIGINAL.key_of(taken.image.id)]


async def test_an_image_that_is_deleted_while_it_is_sent_again_leaves_nothing(
    library: Library, index: IndexImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = library.find()
    assert [1] == [ended async for ended in index()]
    image = await library.image(found.id)
    keep = library.catalog.mark_copied

    async def delete_and_keep(image_id: UUID) -> Image | None:
        await library.catalog.delete([image_id])
        return await keep(image_id)

    monkeypatch.setattr(library.catalog, "mark_copied", delete_and_keep)
    assert await reupload(library.catalog, library.storage, image, RED, tags=()) is None
    assert Variant.ORIGINAL.key_of(image.id) not in library.storage.objects
