"""Imports end with the right images after any sequence of changes and crashes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from domain.entities.external_objects import MISSING_GRACE_PERIOD
from domain.entities.images import Variant
from domain.entities.uploads import sha256_of
from domain.use_cases.imports.forget_missing import ForgetMissing
from domain.use_cases.imports.reconcile import ReconcileObjects
from domain.use_cases.indexing import IndexImages
from domain.use_cases.library.edit import DeleteImages
from domain.use_cases.library.read import ReadImage, read_all
from domain.use_cases.library.render_large import RenderLarge
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.encoder import FakeEncoder
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.object_listing import MemoryObjectListing
from tests.fakes.renditions import MemoryRenditions
from tests.fakes.storage import MemoryStorage
from tests.fakes.trash import MemoryTrash
from tests.fakes.work_queue import MemoryWorkQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = "s3://photos/"
ALL_NAMES = ["a", "b", "c/d", "c/e", "f"]
NAMES = st.sampled_from(ALL_NAMES)
STEP = st.one_of(
    st.tuples(st.just("put"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("remove"), NAMES, st.just(0)),
    st.tuples(st.just("move"), NAMES, st.integers(0, 4)),
    st.tuples(st.just("touch"), NAMES, st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.just(0)),
    st.tuples(st.just("delete"), st.just(""), st.integers(0, 4)),
    st.tuples(st.just("restore"), st.just(""), st.just(0)),
    st.tuples(st.just("import"), st.just(""), st.integers(0, 6)),
    st.tuples(st.just("list"), st.just(""), st.integers(0, 6)),
    st.tuples(st.just("index"), st.just(""), st.integers(1, 3)),
)


@dataclass
class Scenario:
    """A library, a bucket, and the digests of images that a user deleted."""

    object_listing: MemoryObjectListing = field(
        default_factory=lambda: MemoryObjectListing(cuts=("c/",))
    )
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    clock: SettableClock = field(default_factory=SettableClock)
    versions: int = 0
    deleted: set[str] = field(default_factory=set)
    deleted_pixels: set[str | None] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the library."""
        self.catalog = MemoryCatalog()
        self.work_queue = MemoryWorkQueue(self.catalog, self.clock)
        external_files = self.object_listing.external_files
        self.read_image = ReadImage(
            self.storage,
            external_files,
            RenderLarge(
                FakeImaging(),
                self.catalog,
                self.storage,
                external_files,
                MemoryRenditions(self.catalog),
            ),
        )
        self.index_images = IndexImages(
            FakeEncoder(),
            FakeImaging(),
            self.storage,
            external_files,
            self.read_image,
            self.work_queue,
            self.clock,
            1_000,
        )
        objects = MemoryExternalObjects(self.work_queue)
        self.reconcile = ReconcileObjects(self.object_listing, objects)
        self.forget = ForgetMissing(objects, self.storage, self.clock, MISSING_GRACE_PERIOD)

    async def put(self, name: str, number: int) -> None:
        """Write one of three pictures, with one of two metadata."""
        self.write(name, picture_file((number % 3, 0, 1), words=str(number // 3)))

    def write(self, name: str, data: bytes) -> None:
        self.versions += 1
        self.object_listing.put(ROOT + name, data, version=str(self.versions))

    async def remove(self, name: str, _: int) -> None:
        self.object_listing.remove(ROOT + name)

    async def move(self, name: str, number: int) -> None:
        if data := self.data_at(name):
            await self.remove(name, 0)
            self.write(ALL_NAMES[number], data)

    async def touch(self, name: str, _: int) -> None:
        if data := self.data_at(name):
            self.write(name, data)

    def data_at(self, name: str) -> bytes | None:
        files = self.object_listing.external_files.files.items()
        return next((data for source, data in files if source.location == ROOT + name), None)

    async def wait(self, _: str, __: int) -> None:
        self.clock.pass_time(MISSING_GRACE_PERIOD)

    async def delete(self, _: str, number: int) -> None:
        """A user deletes an image, so its bytes must not come back."""
        images = sorted(self.catalog.all_kept(), key=lambda image: image.id)
        if images:
            image = images[number % len(images)]
            self.deleted.add(image.sha256)
            self.deleted_pixels.add(image.pixel_sha256)
            trash = MemoryTrash(self.catalog)
            await DeleteImages(self.catalog, trash, self.storage, self.clock, timedelta(0))(
                [image.id]
            )

    async def restore(self, _: str, __: int) -> None:
        """A user restores the missing images, so they are shown without their files for a time."""
        await MemoryTrash(self.catalog).restore(sorted(self.catalog.missing))

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
        before = {image.sha256: image.id for image in self.catalog.all_kept()}
        # The ids of an import tell its images from earlier ones by the millisecond.
        await asyncio.sleep(0.001)
        summary = await self.reconcile(ROOT, force=True)
        async for _ended in self.index_images():
            pass
        await self.forget(summary)
        after = {image.sha256: image.id for image in self.catalog.all_kept()}
        assert all(before[sha256] == id_ for sha256, id_ in after.items() if sha256 in before)
        await self.originals()

    async def originals(self) -> Sequence[bytes]:
        """Return the originals of all images that are shown."""
        images = self.catalog.all()
        here = [await read_all(await self.read_image(image, Variant.ORIGINAL)) for image in images]
        assert [image.sha256 for image in images] == [await sha256_of(data) for data in here]
        return here

    async def check(self) -> None:
        files = set(self.object_listing.external_files.files.values())
        images = self.catalog.all()
        here = await self.originals()
        assert set() == self.catalog.missing
        assert not self.deleted & {image.sha256 for image in images}
        assert len(here) == len(set(here))
        assert set(here) <= files
        for data in files - set(here):
            pixels = (await FakeImaging().decode(data)).pixel_sha256
            assert await sha256_of(data) in self.deleted or pixels in self.deleted_pixels
        keys = {variant.key_of(image.id) for image in images for variant in image.required_variants}
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
            "move": scenario.move,
            "touch": scenario.touch,
            "wait": scenario.wait,
            "delete": scenario.delete,
            "restore": scenario.restore,
            "import": scenario.run,
            "list": scenario.list,
            "index": scenario.index,
        }
        for action, name, number in steps:
            await actions[action](name, number)
        await scenario.run("", 0)
        await scenario.wait("", 0)
        await scenario.run("", 0)
        await scenario.check()

    asyncio.run(run_steps())
