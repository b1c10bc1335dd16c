"""Groups of duplicates, page by page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.images import Image, uuid7
from domain.entities.near_duplicates import Collapse
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument
from domain.use_cases.duplicates import find_duplicates as module
from domain.use_cases.duplicates.find_duplicates import FindDuplicates, GroupCursor
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.files import upload
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain import UseCases
    from domain.entities.near_duplicates import DuplicatePair
    from tests.fakes.catalog import MemoryCatalog

EXACT, NEAR = Collapse.EXACT_COPIES, Collapse.NEAR_DUPLICATES


@pytest.fixture
def find(use_cases: UseCases) -> FindDuplicates:
    return use_cases.duplicates


@pytest.fixture
async def library(catalog: MemoryCatalog) -> dict[str, Image]:
    """Two copies of a, two near ones of b, two copies and a near one of c, one of d."""
    ids = sorted(uuid7() for _ in range(8))
    named: dict[str, Image] = {}
    for id_, (name, bits) in zip(
        ids,
        [("a1", 0), ("b1", 0), ("c1", 0), ("a1", 0), ("b2", 9), ("c1", 0), ("c2", 5), ("d1", 0)],
        strict=True,
    ):
        seed = ord(name[0])
        image = image_with(
            id_, perceptual_hash=turned(hash_of(seed), bits), pixel_sha256=name, filename=name
        )
        await catalog.add(image, (1.0, 0.0) if name != "b2" else (0.96, 0.28))
        named[f"{name} {len(named)}"] = image
    return named


def names(page: module.DuplicatesPage) -> list[list[str]]:
    return [[image.filename for image in group.images] for group in page.groups]


async def test_a_group_of_exact_copies_only_has_that_kind(
    find: FindDuplicates, library: dict[str, Image]
) -> None:
    page = await find()
    assert len(library) == 8
    assert [["c1", "c1", "c2"], ["b1", "b2"], ["a1", "a1"]] == names(page)
    assert [NEAR, NEAR, EXACT] == [group.kind for group in page.groups]
    assert [1, 0.96, 1] == pytest.approx([group.similarity for group in page.groups])
    assert (page.has_next, page.has_previous) == (False, False)


async def test_groups_of_exact_copies_can_be_requested(
    find: FindDuplicates, library: dict[str, Image]
) -> None:
    page = await find(kind=EXACT)
    assert library
    assert [["c1", "c1"], ["a1", "a1"]] == names(page)
    assert {EXACT} == {group.kind for group in page.groups}


async def test_pages_continue_while_images_are_added_and_deleted(
    find: FindDuplicates, library: dict[str, Image], catalog: MemoryCatalog
) -> None:
    first = await find(first=1)
    assert (first.has_next, first.has_previous) == (True, False)
    newest = max(image.id.int for image in library.values())
    for id_ in (UUID(int=newest + 1), UUID(int=newest + 2)):
        again = image_with(id_, perceptual_hash=hash_of(1), pixel_sha256="new")
        await catalog.add(again, (1.0, 0.0))
    await catalog.delete([library["c1 2"].id])
    rest = await find(first=5, after=first.groups[0].cursor)
    assert [["b1", "b2"], ["a1", "a1"]] == names(rest)
    assert (rest.has_next, rest.has_previous) == (False, True)
    assert [["photo.jpg"] * 2, ["c1", "c2"]] == names(await find())[:2]


async def test_a_page_of_size_zero_and_the_page_after_the_last_are_empty(
    find: FindDuplicates, library: dict[str, Image]
) -> None:
    empty = await find(first=0)
    assert library
    assert (empty.groups, empty.has_next) == ((), True)
    last = (await find()).groups[-1].cursor
    behind = await find(after=last)
    assert (behind.groups, behind.has_next, behind.has_previous) == ((), False, True)


async def test_a_group_with_one_remaining_image_is_left_out(
    find: FindDuplicates, library: dict[str, Image], catalog: MemoryCatalog
) -> None:
    await find()
    await catalog.delete([library["b1 1"].id, library["a1 0"].id, library["a1 3"].id])
    assert [["c1", "c1", "c2"]] == names(await find())


async def test_groups_deleted_while_a_page_is_fetched_are_skipped(
    library: dict[str, Image], catalog: MemoryCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    duplicates = MemoryDuplicates(catalog)
    find = FindDuplicates(duplicates, catalog)
    await find()
    pairs = await duplicates.pairs(NEAR)

    async def earlier_pairs(_: Collapse) -> Sequence[DuplicatePair]:
        return pairs

    monkeypatch.setattr(duplicates, "pairs", earlier_pairs)
    await catalog.delete([library["c1 2"].id, library["c1 5"].id, library["b1 1"].id])
    page = await find(first=1)
    assert ([["a1", "a1"]], False) == (names(page), page.has_next)


async def test_a_large_group_is_split_into_parts_that_begin_with_its_oldest_image(
    find: FindDuplicates, catalog: MemoryCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GROUP_SIZE", 4)
    ids = sorted(uuid7() for _ in range(8))
    for id_ in ids:
        await catalog.add(image_with(id_, perceptual_hash=hash_of(1), pixel_sha256="1"), (1.0, 0.0))
    page = await find()
    parts = [[image.id for image in group.images] for group in page.groups]
    assert [ids[:4], [ids[0], *ids[4:7]], [ids[0], ids[7]]] == parts
    one_by_one, after = [], None
    for _ in parts:
        [group] = (await find(first=1, after=after)).groups
        one_by_one.append([image.id for image in group.images])
        after = group.cursor
    assert parts == one_by_one
    assert not (await find(after=after)).groups


async def test_a_group_of_more_than_a_hundred_images_is_split(
    find: FindDuplicates, catalog: MemoryCatalog
) -> None:
    for _ in range(module.MAX_GROUP_SIZE):
        await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), (1.0, 0.0))
    assert [100] == [len(group.images) for group in (await find()).groups]
    await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), (1.0, 0.0))
    assert [100, 2] == [len(group.images) for group in (await find()).groups]


@pytest.mark.parametrize(
    ("arguments", "location"),
    [
        ({"kind": Collapse.NONE}, ("kind",)),
        ({"first": 101}, ("first",)),
        ({"first": -1}, ("first",)),
        ({"after": GroupCursor(EXACT, uuid7(), uuid7())}, ("after",)),
        ({"kind": EXACT, "after": GroupCursor(NEAR, uuid7(), uuid7())}, ("after",)),
    ],
)
async def test_invalid_arguments_are_refused_with_their_location(
    find: FindDuplicates, arguments: dict[str, object], location: tuple[str]
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await find(**arguments)  # type: ignore[arg-type]  # the types depend on the name
    assert location == refused.value.location


async def test_a_new_copy_is_found_right_after_its_upload(use_cases: UseCases) -> None:
    files = [picture_file((200, 30, 20), words=words) for words in ("", "again")]
    files.append(picture_file((200, 30, 20), (4, 3)))
    outcomes = await use_cases.upload([upload(file, f"{n}.png") for n, file in enumerate(files)])
    images = {
        each.image.filename: each.image for each in outcomes if isinstance(each, UploadedImage)
    }
    assert 3 == len(images)
    [near] = (await use_cases.duplicates()).groups
    assert (NEAR, {*images}) == (near.kind, {image.filename for image in near.images})
    [exact] = (await use_cases.duplicates(kind=EXACT)).groups
    assert {"0.png", "1.png"} == {image.filename for image in exact.images}


async def test_flat_pictures_are_duplicates_only_as_exact_copies(
    use_cases: UseCases,
) -> None:
    black, white = picture_file((0, 0, 0)), picture_file((255, 255, 255))
    await use_cases.upload([upload(black), upload(white), upload(picture_file((0, 0, 0), (9, 9)))])
    assert () == (await use_cases.duplicates()).groups
    await use_cases.upload([upload(picture_file((0, 0, 0), words="again"))])
    assert [2] == [len(group.images) for group in (await use_cases.duplicates()).groups]


async def test_concurrent_calls_return_the_same_page(
    find: FindDuplicates, library: dict[str, Image]
) -> None:
    pages = await asyncio.gather(*(find() for _ in range(10)))
    assert library
    assert all(pages[0] == page for page in pages)
