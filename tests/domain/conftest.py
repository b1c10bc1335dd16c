"""Every use case over fakes, with a clock that can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import Limits, Ports, UseCases, build_use_cases
from domain.entities.uploads import UploadedImage
from tests.domain.imports import Import
from tests.domain.libraries import Library
from tests.domain.model_loader import ACTIVE, FakeModelLoader
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.keys import MemoryKeys
from tests.fakes.objects import MemoryExternalObjects
from tests.fakes.places import MemoryObjectListing
from tests.fakes.searches import MemoryKeptSearches
from tests.fakes.sources import MemoryExternalFiles
from tests.fakes.space import FakeEmbeddingSpace
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import MemoryStorage
from tests.fakes.targets import MemoryUploadTargets
from tests.fakes.work import MemoryWorkQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.entities.images import Image
    from domain.runtime.loaded_models import LoadedModels
    from domain.use_cases.indexing import IndexImages

LIMITS = Limits(
    version="1.2.3",
    max_upload_bytes=1_000,
    max_files_per_request=20,
    accepted_content_types=("image/png",),
)


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
def searches() -> MemoryKeptSearches:
    return MemoryKeptSearches()


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def space(catalog: MemoryCatalog) -> FakeEmbeddingSpace:
    return FakeEmbeddingSpace(catalog)


@pytest.fixture
def staging(clock: SettableClock) -> MemoryStaging:
    return MemoryStaging(clock)


@pytest.fixture
def targets(catalog: MemoryCatalog) -> MemoryUploadTargets:
    return MemoryUploadTargets(catalog)


@pytest.fixture
def sources() -> MemoryExternalFiles:
    return MemoryExternalFiles()


@pytest.fixture
def places(sources: MemoryExternalFiles) -> MemoryObjectListing:
    return MemoryObjectListing(sources)


@pytest.fixture
def objects(work: MemoryWorkQueue) -> MemoryExternalObjects:
    return MemoryExternalObjects(work)


@pytest.fixture
def work(catalog: MemoryCatalog, clock: SettableClock) -> MemoryWorkQueue:
    return MemoryWorkQueue(catalog, clock)


@pytest.fixture
def library(
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    sources: MemoryExternalFiles,
    work: MemoryWorkQueue,
) -> Library:
    return Library(catalog, storage, sources, work)


@pytest.fixture
def index(use_cases: UseCases) -> IndexImages:
    return use_cases.index


@pytest.fixture
def use_cases(  # noqa: PLR0913 - a composition names all it composes
    *,
    clock: SettableClock,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    catalog: MemoryCatalog,
    duplicates: MemoryDuplicates,
    storage: MemoryStorage,
    searches: MemoryKeptSearches,
    keys: MemoryKeys,
    space: FakeEmbeddingSpace,
    sources: MemoryExternalFiles,
    places: MemoryObjectListing,
    objects: MemoryExternalObjects,
    staging: MemoryStaging,
    targets: MemoryUploadTargets,
    work: MemoryWorkQueue,
) -> UseCases:
    return build_use_cases(
        Ports(
            catalog=catalog,
            clock=clock,
            duplicates=duplicates,
            embedding_space=space,
            encoder=encoder,
            events=catalog.events,
            external_files=sources,
            external_objects=objects,
            imaging=imaging,
            ingestion=catalog,
            keys=keys,
            known_models=catalog,
            local_staging=staging,
            object_listing=places,
            ready_feed=catalog,
            searches=searches,
            staging=staging,
            storage=storage,
            upload_targets=targets,
            vectors=catalog,
            work_queue=work,
        ),
        LIMITS,
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
def loader(use_cases: UseCases) -> FakeModelLoader:
    return FakeModelLoader(use_cases)


@pytest.fixture
async def loaded_models(loader: FakeModelLoader) -> AsyncIterator[LoadedModels]:
    """The loaded models of a library whose ACTIVE model is "old"."""
    loader.models.set_states(old=ACTIVE)
    async with loader.open() as loaded_models:
        yield loaded_models


@pytest.fixture
def take_in(use_cases: UseCases, catalog: MemoryCatalog) -> Import:
    return Import(use_cases, catalog)
