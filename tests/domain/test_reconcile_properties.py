"""Imports end with the right images after any sequence of changes and crashes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.entities.external_objects import KeyRange
from domain.entities.images import Variant
from domain.use_cases.imports.reconcile import ReconcileObjects
from domain.use_cases.indexing import IndexImages
from domain.use_cases.library.edit import DeleteImages
from domain.use_cases.library.read import ReadImage, read_all
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.encoder import FakeEncoder
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.object_listing import MemoryObjectListing
from tests.fakes.storage import MemoryStorage
from tests.fakes.trash import MemoryTrash
from tests.fakes.work_queue import MemoryWorkQueue

ROOT = "s3://photos/"
NAMES = st.sampled_from(["a", "b", "c/d", "c/e", "f"])
STEP = st.one_of(
    st.tuples(st.just("put"), NAMES, st.integers(0, 2)),
    st.tuples(st.just("remove"), NAMES, st.just(0)),
    st.tuples(st.just("delete"), st.just(""), st.integers(0, 4)),
    st.tuples(st.just("import"), st.just(""), st.integers(0, 6)),
    st.tuples(st.just("list"), st.just(""), st.integers(0, 6)),
    st.tuples(st.just("index"), st.just(""), st.integers(1, 3)),
)


@dataclass
class Scenario:
    """A library, a bucket, and the versions whose images a user deleted."""

    object_listing: MemoryObjectListing = field(
        default_factory=lambda: MemoryObjectListing(cuts=("c/",))
    )
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    clock: SettableClock = field(default_factory=SettableClock)
    versions: int = 0
    deleted_versions: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the library."""
        self.catalog = MemoryCatalog()
        self.work_queue = MemoryWorkQueue(self.catalog, self.clock)
        external_files = self.object_listing.external_files
        self.index_images = IndexImages(
            FakeEncoder(),
            FakeImaging(),
            self.storage,
            external_files,
            ReadImage(self.storage, external_files),
            self.work_queue,
            self.clock,
            1_000,
        )
        self.reconcile = ReconcileObjects(
            self.object_listing, MemoryExternalObjects(self.work_queue), self.storage
        )

    async def put(self, name: str, number: int) -> None:
        self.versions += 1
        data = picture_file(words=str(number))
        self.object_listing.put(ROOT + name, data, version=str(self.versions))

    async def remove(self, name: str, _: int) -> None:
        self.object_listing.remove(ROOT + name)

    async def delete(self, _: str, number: int) -> None:
        """A user deletes an image, so its present versions must not come back."""
        images = sorted(self.catalog._images)  # noqa: SLF001 - all of them
        if images:
            image_id = images[number % len(images)]
            for id_, became in self.work_queue.became.items():
                if became == image_id:
                    source = self.work_queue.objects[id_].source
                    self.deleted_versions.add((source.location, source.version))
            trash = MemoryTrash(self.catalog)
            await DeleteImages(self.catalog, trash, self.storage, SettableClock(), timedelta(0))(
                [image_id]
            )

    async def list(self, _: str, number: int) -> None:
        """An import fails while it lists."""
        self.object_listing.fails_after = number
        try:
            await self.reconcile(ROOT, force=True)
        except ConnectionResetError:
            pass
        finally:
            self.object_listing.fails_after = None

    async def index(self, _: str, number: int) -> None:
        """A worker is killed after some tasks, and its leases expire."""
        async with aclosing(self.index_images()) as ended:
            for _step in range(number):
                await anext(ended, 0)
        self.clock.now = self.clock.now.replace(year=self.clock.now.year + 1)

    async def run(self, _: str, __: int) -> None:
        await self.reconcile(ROOT, force=True)
        async for _ended in self.index_images():
            pass

    async def check(self) -> None:
        listed = [each async for each in self.object_listing.list(ROOT, KeyRange.below(ROOT))]
        wanted = {
            self.object_listing.external_files.files[each.source]
            for each in listed
            if (each.source.location, each.source.version) not in self.deleted_versions
        }
        images = self.catalog._images.values()  # noqa: SLF001 - all of them
        read = ReadImage(self.storage, self.object_listing.external_files)
        here = [await read_all(await read(image, Variant.ORIGINAL)) for image in images]
        assert sorted(wanted) == sorted(here)
        renditions = (Variant.LARGE, Variant.THUMBNAIL)
        keys = {variant.key_of(image.id) for image in images for variant in renditions}
        assert keys == set(self.storage.objects)
        assert {} == self.work_queue.entries


@given(st.lists(STEP, max_size=25))
def test_any_sequence_of_changes_and_crashes_ends_with_the_right_images(
    steps: list[tuple[str, str, int]],
) -> None:
    async def run_steps() -> None:
        scenario = Scenario()
        actions = {
            "put": scenario.put,
            "remove": scenario.remove,
            "delete": scenario.delete,
            "import": scenario.run,
            "list": scenario.list,
            "index": scenario.index,
        }
        for action, name, number in steps:
            await actions[action](name, number)
        await scenario.run("", 0)
        await scenario.check()

    asyncio.run(run_steps())
