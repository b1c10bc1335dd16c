"""Importing more pictures than one request accepts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument, UnsupportedFormat
from domain.use_cases.imports.import_copies import UPLOAD_CONCURRENCY
from tests.domain.conftest import LIMITS
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file
from tests.fakes.interleaving import InterleavedCatalog, InterleavedStorage, Interleaving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain import UseCases
    from domain.entities.uploads import Upload
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.storage import MemoryStorage

MANY = 3 * UPLOAD_CONCURRENCY + 1


@pytest.fixture
def interleaving() -> Interleaving:
    return Interleaving()


@pytest.fixture
def catalog(interleaving: Interleaving) -> MemoryCatalog:
    return InterleavedCatalog(interleaving)


@pytest.fixture
def storage(interleaving: Interleaving) -> MemoryStorage:
    return InterleavedStorage(interleaving)


def pictures(count: int) -> Iterator[Upload]:
    return (upload(picture_file(words=str(number)), f"{number}.png") for number in range(count))


def running() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_any_number_of_pictures_is_imported_and_each_has_an_outcome(
    use_cases: UseCases,
) -> None:
    assert MANY > LIMITS.max_files_per_request
    uploaded = {}
    async for sent, outcome in use_cases.import_copies(pictures(MANY), tags=iter(["sea"])):
        assert isinstance(outcome, UploadedImage)
        assert sent.filename == outcome.image.filename
        assert outcome.image.tags == ("sea",)
        uploaded[sent.filename] = outcome.image.id

    assert {f"{number}.png" for number in range(MANY)} == set(uploaded)
    assert len(set(uploaded.values())) == MANY == await use_cases.list.count(ImageFilter())


async def test_refused_files_and_duplicates_do_not_stop_the_import(
    use_cases: UseCases,
) -> None:
    files = [upload(b"GIF89a", "bad.gif"), *pictures(1), *pictures(2)]
    outcomes = [(sent.filename, outcome) async for sent, outcome in use_cases.import_copies(files)]

    assert isinstance(dict(outcomes)["bad.gif"], UnsupportedFormat)
    uploaded = [outcome for _, outcome in outcomes if isinstance(outcome, UploadedImage)]
    assert sorted(each.is_duplicate for each in uploaded) == [False, False, True]


async def test_an_empty_import_has_no_outcomes(use_cases: UseCases) -> None:
    assert [each async for each in use_cases.import_copies([])] == []


async def test_an_invalid_tag_ends_the_import_before_any_upload(use_cases: UseCases) -> None:
    with pytest.raises(InvalidArgument, match="A tag is empty"):
        _ = [each async for each in use_cases.import_copies(pictures(3), tags=[""])]
    assert await use_cases.list.count(ImageFilter()) == 0


async def test_files_are_consumed_a_bounded_number_ahead(use_cases: UseCases) -> None:
    consumed = done = most = 0

    def counted() -> Iterator[Upload]:
        nonlocal consumed, most
        for sent in pictures(MANY):
            consumed += 1
            most = max(most, consumed - done)
            yield sent

    async for _ in use_cases.import_copies(counted()):
        done += 1
    assert (most, done) == (UPLOAD_CONCURRENCY, MANY)


async def test_an_outage_ends_the_import_and_the_next_import_uploads_what_is_missing(
    use_cases: UseCases, interleaving: Interleaving, storage: MemoryStorage
) -> None:
    async def fail() -> None:
        raise ConnectionRefusedError

    before = running()
    interleaving.actions["before write thumbnail"] = fail
    with pytest.raises(ConnectionRefusedError):
        _ = [each async for each in use_cases.import_copies(pictures(MANY))]
    assert before == running()

    again = [outcome async for _, outcome in use_cases.import_copies(pictures(MANY))]
    images = [outcome.image for outcome in again if isinstance(outcome, UploadedImage)]
    ids = {image.id for image in images}
    assert len(ids) == MANY == await use_cases.list.count(ImageFilter())
    keys = {variant.key_of(image.id) for image in images for variant in image.required_variants}
    assert keys <= set(storage.objects)


async def test_an_import_that_is_closed_early_leaves_no_task_running(use_cases: UseCases) -> None:
    before = running()
    async with aclosing(use_cases.import_copies(pictures(MANY))) as outcomes:
        await anext(outcomes)
    assert before == running()
