"""Whatever happens to a bucket and to the library, imports end with the right set."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

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
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.objects import MemoryExternalObjects
from tests.fakes.places import MemoryObjectListing
from tests.fakes.storage import MemoryStorage
from tests.fakes.work import MemoryWorkQueue

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
class Story:
    """A library, a bucket, and what a user has deleted of it."""

    places: MemoryObjectListing = field(default_factory=lambda: MemoryObjectListing(cuts=("c/",)))
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    clock: SettableClock = field(default_factory=SettableClock)
    versions: int = 0
    unwanted: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the library."""
        self.catalog = MemoryCatalog()
        self.work = MemoryWorkQueue(self.catalog, self.clock)
        sources = self.places.sources
        self.index_images = IndexImages(
            FakeEncoder(),
            FakeImaging(),
            self.storage,
            sources,
            ReadImage(self.storage, sources),
            self.work,
            self.clock,
            1_000,
        )
        self.reconcile = ReconcileObjects(
            self.places, MemoryExternalObjects(self.work), self.storage
        )

    async def put(self, name: str, number: int) -> None:
        self.versions += 1
        data = picture_file(words=str(number))
        self.places.put(ROOT + name, data, version=str(self.versions))

    async def remove(self, name: str, _: int) -> None:
        self.places.remove(ROOT + name)

    async def delete(self, _: str, number: int) -> None:
        """A user deletes an image, and does not want what it was found as any more."""
        images = sorted(self.catalog._images)  # noqa: SLF001 - all of them
        if images:
            image_id = images[number % len(images)]
            for id_, became in self.work.became.items():
                if became == image_id:
                    source = self.work.objects[id_].source
                    self.unwanted.add((source.location, source.version))
            await DeleteImages(self.catalog, self.storage)([image_id])

    async def list(self, _: str, number: int) -> None:
        """An import is killed while it lists."""
        self.places.breaks_behind = number
        try:
            await self.reconcile(ROOT, force=True)
        except ConnectionResetError:
            pass
        finally:
            self.places.breaks_behind = None

    async def index(self, _: str, number: int) -> None:
        """A worker is killed when it has ended so many tasks, and its leases run out."""
        async with aclosing(self.index_images()) as ended:
            for _turn in range(number):
                await anext(ended, 0)
        self.clock.now = self.clock.now.replace(year=self.clock.now.year + 1)

    async def run(self, _: str, __: int) -> None:
        await self.reconcile(ROOT, force=True)
        async for _ended in self.index_images():
            pass

    async def check(self) -> None:
        listed = [each async for each in self.places.list(ROOT, KeyRange.below(ROOT))]
        wanted = {
            self.places.sources.objects[each.source]
            for each in listed
            if (each.source.location, each.source.version) not in self.unwanted
        }
        images = self.catalog._images.values()  # noqa: SLF001 - all of them
        read = ReadImage(self.storage, self.places.sources)
        here = [await read_all(await read(image, Variant.ORIGINAL)) for image in images]
        assert sorted(wanted) == sorted(here)
        renditions = (Variant.LARGE, Variant.THUMBNAIL)
        keys = {variant.key_of(image.id) for image in images for variant in renditions}
        assert keys == set(self.storage.objects)
        assert {} == self.work.entries


@given(st.lists(STEP, max_size=25))
def test_any_story_ends_with_the_right_set(steps: list[tuple[str, str, int]]) -> None:
    async def tell() -> None:
        story = Story()
        deeds = {
            "put": story.put,
            "remove": story.remove,
            "delete": story.delete,
            "import": story.run,
            "list": story.list,
            "index": story.index,
        }
        for deed, name, number in steps:
            await deeds[deed](name, number)
        await story.run("", 0)
        await story.check()

    asyncio.run(tell())
