"""The cache of duplicate groups, and its invalidation."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from domain.entities.near_duplicates import Collapse
from domain.runtime.periodic import compare_new_images
from domain.use_cases.duplicates import find_duplicates as module
from domain.use_cases.duplicates.find_duplicates import FindDuplicates
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.near_duplicates import DuplicatePair
    from tests.fakes.catalog import MemoryCatalog

EXACT, NEAR = Collapse.EXACT_COPIES, Collapse.NEAR_DUPLICATES


class SlowDuplicates(MemoryDuplicates):
    """Counts its calls, and returns pairs only when it may."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        super().__init__(catalog)
        self.updates = 0
        self.pairs_reads = 0
        self.may_return = asyncio.Event()
        self.may_return.set()

    async def update(self) -> int:
        self.updates += 1
        await asyncio.sleep(0)
        return await super().update()

    async def pairs(self, kind: Collapse) -> Sequence[DuplicatePair]:
        self.pairs_reads += 1
        pairs = await super().pairs(kind)
        await self.may_return.wait()
        return pairs


@pytest.fixture
def duplicates(catalog: MemoryCatalog) -> SlowDuplicates:
    return SlowDuplicates(catalog)


@pytest.fixture
def find(duplicates: SlowDuplicates, catalog: MemoryCatalog) -> FindDuplicates:
    return FindDuplicates(duplicates, catalog)


async def add(catalog: MemoryCatalog, bits: int, pixels: str) -> Image:
    hashed = turned(hash_of(1), bits)
    return await catalog.add(image_with(perceptual_hash=hashed, pixel_sha256=pixels), (1.0, 0.0))


@pytest.fixture
async def three(catalog: MemoryCatalog) -> list[Image]:
    """Two exact copies and a near duplicate."""
    return [await add(catalog, bits, pixels) for bits, pixels in ((0, "1"), (0, "1"), (5, "2"))]


def sizes(page: module.DuplicatesPage) -> list[tuple[Collapse, int]]:
    return [(group.kind, len(group.images)) for group in page.groups]


async def test_concurrent_calls_compute_the_groups_once(
    find: FindDuplicates, duplicates: SlowDuplicates, three: list[Image]
) -> None:
    pages = await asyncio.gather(*(find() for _ in range(8)))
    assert [[(NEAR, len(three))]] * 8 == [sizes(page) for page in pages]
    assert 2 == duplicates.updates
    assert 1 == duplicates.pairs_reads
    await find(kind=EXACT)
    await find()
    assert 2 == duplicates.pairs_reads


async def test_an_upload_during_the_computation_is_in_the_next_result(
    find: FindDuplicates, duplicates: SlowDuplicates, catalog: MemoryCatalog, three: list[Image]
) -> None:
    duplicates.may_return.clear()
    first = asyncio.create_task(find())
    await wait_until(lambda: duplicates.pairs_reads == 1)
    await add(catalog, 0, "1")
    second = asyncio.create_task(find())
    await wait_until(lambda: duplicates.updates == 2)
    duplicates.may_return.set()
    assert [(NEAR, len(three))] == sizes(await first)
    assert [(NEAR, len(three) + 1)] == sizes(await second)


async def test_the_groups_are_computed_again_after_a_deletion(
    find: FindDuplicates, duplicates: SlowDuplicates, catalog: MemoryCatalog, three: list[Image]
) -> None:
    assert [(NEAR, 3)] == sizes(await find())
    await catalog.delete([three[2].id])
    pages = await asyncio.gather(*(find() for _ in range(8)))
    assert [[(EXACT, 2)]] * 8 == [sizes(page) for page in pages]
    assert 2 == duplicates.pairs_reads


async def test_pairs_of_another_server_are_seen_when_the_cache_expires(
    find: FindDuplicates,
    duplicates: SlowDuplicates,
    catalog: MemoryCatalog,
    three: list[Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await find()
    await add(catalog, 0, "1")
    await duplicates.update()
    assert [(NEAR, len(three))] == sizes(await find())
    monkeypatch.setattr(module, "GROUPS_CACHE_SECONDS", -1)
    assert [(NEAR, len(three) + 1)] == sizes(await find())


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        for _ in iter(condition, True):  # noqa: FBT003 - the sentinel of iter is positional
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(5))
async def test_paging_forward_misses_no_group_while_images_are_deleted(
    find: FindDuplicates, catalog: MemoryCatalog, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(module, "GROUPS_CACHE_SECONDS", -1)
    monkeypatch.setattr(module, "MAX_GROUP_SIZE", 4)
    random = Random(seed)
    here = [await add(catalog, 0, str(random.randrange(20))) for _ in range(120)]
    seen, page = set(), await find(kind=EXACT, first=1)
    while page.groups:
        seen |= {image.id for group in page.groups for image in group.images}
        gone = {here.pop(random.randrange(len(here))).id for _ in range(2)}
        await catalog.delete([*gone])
        page = await find(kind=EXACT, first=1, after=page.groups[-1].cursor)
    copies = Counter(image.pixel_sha256 for image in here)
    assert len(seen) < 120
    assert seen >= {image.id for image in here if copies[image.pixel_sha256] > 1}


class OneByOneDuplicates(MemoryDuplicates):
    """Compares one image at a time, as an adapter compares a batch."""

    async def update(self) -> int:
        images = [image for image in self._comparable() if image.id not in self.compared]
        if images:
            self.compared.add(images[0].id)
        return len(images[:1])


async def test_a_call_compares_one_batch_and_the_background_task_the_rest(
    use_cases: UseCases, catalog: MemoryCatalog, three: list[Image]
) -> None:
    duplicates = OneByOneDuplicates(catalog)
    find = replace(use_cases.duplicates, duplicates=duplicates)
    await find()
    assert 1 == len(duplicates.compared)
    with_fake = replace(use_cases, duplicates=find)
    comparing = asyncio.create_task(compare_new_images(lambda: [with_fake], every=60))
    await wait_until(lambda: len(duplicates.compared) == len(three))
    comparing.cancel()
    await asyncio.wait([comparing])
