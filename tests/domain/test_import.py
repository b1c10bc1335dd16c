"""Taking in more pictures than one request may bring."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import Variant
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument, UnsupportedFormat
from domain.use_cases.imports.import_copies import UPLOAD_CONCURRENCY
from tests.domain.conftest import LIMITS
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file
from tests.fakes.moments import MomentousCatalog, MomentousStorage, Moments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain import UseCases
    from domain.entities.uploads import Upload
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.storage import MemoryStorage

MANY = 3 * UPLOAD_CONCURRENCY + 1


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def catalog(moments: Moments) -> MemoryCatalog:
    return MomentousCatalog(moments)


@pytest.fixture
def storage(moments: Moments) -> MemoryStorage:
    return MomentousStorage(moments)


def pictures(count: int) -> Iterator[Upload]:
    return (upload(picture_file(words=str(number)), f"{number}.png") for number in range(count))


def running() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_any_number_of_pictures_goes_in_and_each_tells_what_became_of_it(
    use_cases: UseCases,
) -> None:
    assert MANY > LIMITS.max_files_per_request
    taken = {}
    async for sent, outcome in use_cases.import_copies(pictures(MANY), tags=iter(["sea"])):
        assert isinstance(outcome, UploadedImage)
        assert sent.filename == outcome.image.filename
        assert outcome.image.tags == ("sea",)
        taken[sent.filename] = outcome.image.id

    assert {f"{number}.png" for number in range(MANY)} == set(taken)
    assert len(set(taken.values())) == MANY == await use_cases.list.count(ImageFilter())


async def test_a_refused_file_and_one_that_is_here_already_stop_nothing(
    use_cases: UseCases,
) -> None:
    files = [upload(b"GIF89a", "bad.gif"), *pictures(1), *pictures(2)]
    outcomes = [(sent.filename, outcome) async for sent, outcome in use_cases.import_copies(files)]

    assert isinstance(dict(outcomes)["bad.gif"], UnsupportedFormat)
    taken = [outcome for _, outcome in outcomes if isinstance(outcome, UploadedImage)]
    assert sorted(each.is_duplicate for each in taken) == [False, False, True]


async def test_nothing_to_import_is_no_outcome(use_cases: UseCases) -> None:
    assert [each async for each in use_cases.import_copies([])] == []


async def test_a_bad_tag_ends_the_import_before_anything_is_taken_in(use_cases: UseCases) -> None:
    with pytest.raises(InvalidArgument, match="A tag is empty"):
        _ = [each async for each in use_cases.import_copies(pictures(3), tags=[""])]
    assert await use_cases.list.count(ImageFilter()) == 0


async def test_files_are_named_only_a_little_ahead_of_their_turn(use_cases: UseCases) -> None:
    named = done = most = 0

    def counted() -> Iterator[Upload]:
        nonlocal named, most
        for sent in pictures(MANY):
            named += 1
            most = max(most, named - done)
            yield sent

    async for _ in use_cases.import_copies(counted()):
        done += 1
    assert (most, done) == (UPLOAD_CONCURRENCY, MANY)


async def test_an_outage_ends_the_import_and_beginning_again_takes_in_what_is_missing(
    use_cases: UseCases, moments: Moments, storage: MemoryStorage
) -> None:
    async def fail() -> None:
        raise ConnectionRefusedError

    before = running()
    moments.deeds["before write large"] = fail
    with pytest.raises(ConnectionRefusedError):
        _ = [each async for each in use_cases.import_copies(pictures(MANY))]
    assert before == running()

    again = [outcome async for _, outcome in use_cases.import_copies(pictures(MANY))]
    ids = {outcome.image.id for outcome in again if isinstance(outcome, UploadedImage)}
    assert len(ids) == MANY == await use_cases.list.count(ImageFilter())
    assert {variant.key_of(id_) for id_ in ids for variant in Variant} <= set(storage.objects)


async def test_an_import_that_is_left_early_leaves_nothing_running(use_cases: UseCases) -> None:
    before = running()
    async with aclosing(use_cases.import_copies(pictures(MANY))) as outcomes:
        await anext(outcomes)
    assert before == running()
