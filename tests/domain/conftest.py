"""Every use case over fakes, with a clock that can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.complete_uploads import CompleteUploads
from domain.create_upload_targets import CreateUploadTargets
from domain.delete import DeleteImages
from domain.duplicates import FindDuplicates
from domain.editions import Editions
from domain.estimate import EstimateImport
from domain.facets import CountFacets
from domain.get import GetImages
from domain.hash_images import HashImages
from domain.import_images import ImportImages
from domain.index import IndexImages
from domain.index_found import IndexFound
from domain.judge import JudgeHits
from domain.label import LabelImages
from domain.list import ListImages
from domain.manifest import ReconcileManifest
from domain.questions import Questions
from domain.read import ReadImage
from domain.receive_upload import ReceiveUpload
from domain.reconcile import ReconcileObjects
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep
from domain.sweep_targets import SweepTargets
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from domain.uploads import UploadedImage
from domain.watch_matches import WatchMatches
from domain.watch_status import WatchStatus
from tests.domain.imports import Import
from tests.domain.libraries import Library
from tests.domain.shops import ACTIVE, Shop
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.keys import MemoryKeys
from tests.fakes.objects import MemoryObjects
from tests.fakes.places import MemoryPlaces
from tests.fakes.searches import MemorySearches
from tests.fakes.sources import MemorySources
from tests.fakes.space import FakeSpace
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import MemoryStorage
from tests.fakes.targets import MemoryTargets
from tests.fakes.work import MemoryWork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.images import Image

MAX_BYTES = 1_000
MAX_FILES = 20


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def imaging() -> FakeImaging:
    return FakeImaging()


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def duplicates(catalog: MemoryCatalog) -> MemoryDuplicates:
    return MemoryDuplicates(catalog)


@pytest.fixture
def storage(clock: SettableClock) -> MemoryStorage:
    return MemoryStorage(clock)


@pytest.fixture
def searches() -> MemorySearches:
    return MemorySearches()


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def space(catalog: MemoryCatalog) -> FakeSpace:
    return FakeSpace(catalog)


@pytest.fixture
def staging(clock: SettableClock) -> MemoryStaging:
    return MemoryStaging(clock)


@pytest.fixture
def targets(catalog: MemoryCatalog) -> MemoryTargets:
    return MemoryTargets(catalog)


@pytest.fixture
def sources() -> MemorySources:
    return MemorySources()


@pytest.fixture
def places(sources: MemorySources) -> MemoryPlaces:
    return MemoryPlaces(sources)


@pytest.fixture
def objects(work: MemoryWork) -> MemoryObjects:
    return MemoryObjects(work)


@pytest.fixture
def work(catalog: MemoryCatalog, clock: SettableClock) -> MemoryWork:
    return MemoryWork(catalog, clock)


@pytest.fixture
def library(
    catalog: MemoryCatalog, storage: MemoryStorage, sources: MemorySources, work: MemoryWork
) -> Library:
    return Library(catalog, storage, sources, work)


@pytest.fixture
def index(  # noqa: PLR0913 - a composition names all it composes
    *,
    clock: SettableClock,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    storage: MemoryStorage,
    sources: MemorySources,
    work: MemoryWork,
) -> IndexImages:
    read = ReadImage(storage, sources)
    return IndexImages(encoder, imaging, storage, sources, read, work, clock, MAX_BYTES)


@pytest.fixture
def use_cases(  # noqa: PLR0913 - a composition names all it composes
    *,
    clock: SettableClock,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    catalog: MemoryCatalog,
    duplicates: MemoryDuplicates,
    storage: MemoryStorage,
    searches: MemorySearches,
    keys: MemoryKeys,
    space: FakeSpace,
    sources: MemorySources,
    places: MemoryPlaces,
    objects: MemoryObjects,
    index: IndexImages,
    staging: MemoryStaging,
    targets: MemoryTargets,
) -> UseCases:
    upload_images = UploadImages(encoder, imaging, catalog, storage, clock, MAX_BYTES, MAX_FILES)
    search = SearchImages(
        Questions(encoder, imaging, catalog, space, MAX_BYTES),
        JudgeHits(space, encoder.model),
        catalog,
        duplicates,
        searches,
        clock,
    )
    return UseCases(
        authenticate=Authenticate(keys, public_reading=True),
        issue_key=IssueKey(keys, clock),
        describe=Describe(encoder, catalog, "1.2.3", MAX_BYTES, MAX_FILES, ("image/png",)),
        upload=upload_images,
        import_=ImportImages(upload_images),
        search=search,
        similar=SimilarImages(search),
        duplicates=FindDuplicates(duplicates, catalog),
        hash_images=HashImages(imaging, storage, duplicates),
        index=index,
        reconcile=ReconcileObjects(places, objects, storage),
        reconcile_manifest=ReconcileManifest(places, objects, storage),
        estimate=EstimateImport(encoder, imaging, sources, MAX_BYTES),
        index_found=IndexFound(index, objects),
        list=ListImages(catalog),
        facets=CountFacets(catalog),
        label=LabelImages(encoder, catalog),
        get=GetImages(catalog),
        read=ReadImage(storage, sources),
        update=UpdateImage(catalog),
        tag=TagImages(catalog),
        untag=UntagImages(catalog),
        delete=DeleteImages(catalog, storage),
        sweep=Sweep(catalog, storage, searches, clock),
        create_upload_targets=CreateUploadTargets(
            catalog, targets, staging, clock, MAX_BYTES, ("image/png",)
        ),
        complete_uploads=CompleteUploads(imaging, catalog, storage, targets, staging, clock),
        receive_upload=ReceiveUpload(staging, clock),
        sweep_targets=SweepTargets(targets, staging, clock),
        watch_status=WatchStatus(catalog, catalog.events),
        watch_matches=WatchMatches(search, catalog.events, clock),
    )


@pytest.fixture
async def by_colour(use_cases: UseCases) -> dict[str, Image]:
    """A picture of each colour, and what became of it; the blue and the green one show the sea."""
    here = {}
    for colour, rgb in COLOURS.items():
        tags = ["sea"] if colour in {"blue", "green"} else []
        [outcome] = await use_cases.upload([upload(picture_file(rgb), f"{colour}.png")], tags=tags)
        assert isinstance(outcome, UploadedImage)
        here[colour] = outcome.image
    return here


@pytest.fixture
def shop(use_cases: UseCases) -> Shop:
    return Shop(use_cases)


@pytest.fixture
async def editions(shop: Shop) -> AsyncIterator[Editions]:
    """Those of a library that is searched by "old"."""
    shop.models.set(old=ACTIVE)
    async with Editions.of(shop.models, shop.open, grace=0) as editions:
        yield editions


@pytest.fixture
def take_in(use_cases: UseCases, catalog: MemoryCatalog) -> Import:
    return Import(use_cases, catalog)
