"""Every use case over fakes, with a clock that can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import Limits, Ports, UseCases, build_use_cases
from domain.entities.uploads import UploadedImage
from tests.domain.imports import Importer
from tests.domain.library_with_tasks import LibraryWithTasks
from tests.domain.model_loader import ACTIVE, FakeModelLoader
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import MemoryClaims, MemoryIdentity
from tests.fakes.clock import SettableClock
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.embedding_space import FakeEmbeddingSpace
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.external_files import MemoryExternalFiles
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file
from tests.fakes.kept_searches import MemoryKeptSearches
from tests.fakes.keys import MemoryKeys
from tests.fakes.object_listing import MemoryObjectListing
from tests.fakes.places import MemoryPlaces
from tests.fakes.renditions import MemoryRenditions
from tests.fakes.scans import MemoryQuerySamples, MemoryScanTables, MemoryScanTrials
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import MemoryStorage
from tests.fakes.trash import MemoryTrash
from tests.fakes.upload_targets import MemoryUploadTargets
from tests.fakes.work_queue import MemoryWorkQueue

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
def limits() -> Limits:
    return LIMITS


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
def claims() -> MemoryClaims:
    return MemoryClaims()


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
def embedding_space(catalog: MemoryCatalog) -> FakeEmbeddingSpace:
    return FakeEmbeddingSpace(catalog)


@pytest.fixture
def staging(clock: SettableClock) -> MemoryStaging:
    return MemoryStaging(clock)


@pytest.fixture
def upload_targets(catalog: MemoryCatalog) -> MemoryUploadTargets:
    return MemoryUploadTargets(catalog)


@pytest.fixture
def external_files() -> MemoryExternalFiles:
    return MemoryExternalFiles()


@pytest.fixture
def object_listing(external_files: MemoryExternalFiles) -> MemoryObjectListing:
    return MemoryObjectListing(external_files)


@pytest.fixture
def external_objects(work_queue: MemoryWorkQueue) -> MemoryExternalObjects:
    return MemoryExternalObjects(work_queue)


@pytest.fixture
def work_queue(catalog: MemoryCatalog, clock: SettableClock) -> MemoryWorkQueue:
    return MemoryWorkQueue(catalog, clock)


@pytest.fixture
def library(
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    external_files: MemoryExternalFiles,
    work_queue: MemoryWorkQueue,
) -> LibraryWithTasks:
    return LibraryWithTasks(catalog, storage, external_files, work_queue)


@pytest.fixture
def index(use_cases: UseCases) -> IndexImages:
    return use_cases.index


@pytest.fixture
def use_cases(  # noqa: PLR0913 - one parameter for each fake
    *,
    clock: SettableClock,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    catalog: MemoryCatalog,
    claims: MemoryClaims,
    duplicates: MemoryDuplicates,
    storage: MemoryStorage,
    searches: MemoryKeptSearches,
    keys: MemoryKeys,
    embedding_space: FakeEmbeddingSpace,
    external_files: MemoryExternalFiles,
    object_listing: MemoryObjectListing,
    external_objects: MemoryExternalObjects,
    staging: MemoryStaging,
    upload_targets: MemoryUploadTargets,
    work_queue: MemoryWorkQueue,
    limits: Limits,
) -> UseCases:
    return build_use_cases(
        Ports(
            catalog=catalog,
            claims=claims,
            clock=clock,
            duplicates=duplicates,
            embedding_space=embedding_space,
            encoder=encoder,
            events=catalog.events,
            external_files=external_files,
            external_objects=external_objects,
            identity=MemoryIdentity(),
            imaging=imaging,
            ingestion=catalog,
            keys=keys,
            known_models=catalog,
            missing_objects=external_objects,
            local_staging=staging,
            object_listing=object_listing,
            places=MemoryPlaces(catalog),
            query_samples=MemoryQuerySamples(),
            ready_feed=catalog,
            renditions=MemoryRenditions(catalog),
            scan_tables=MemoryScanTables(),
            scan_trials=MemoryScanTrials(catalog),
            searches=searches,
            staging=staging,
            storage=storage,
            trash=MemoryTrash(catalog),
            upload_targets=upload_targets,
            vectors=catalog,
            work_queue=work_queue,
        ),
        limits,
    )


@pytest.fixture
async def by_colour(use_cases: UseCases) -> dict[str, Image]:
    """An uploaded picture of each colour. The blue and the green one are tagged "sea"."""
    images = {}
    for colour, rgb in COLOURS.items():
        tags = ["sea"] if colour in {"blue", "green"} else []
        [outcome] = await use_cases.upload([upload(picture_file(rgb), f"{colour}.png")], tags=tags)
        assert isinstance(outcome, UploadedImage)
        images[colour] = outcome.image
    return images


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
def importer(use_cases: UseCases, catalog: MemoryCatalog) -> Importer:
    return Importer(use_cases, catalog)
