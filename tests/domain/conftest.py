"""Every use case over fakes, with a clock that can be set."""

from __future__ import annotations

import pytest

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.delete import DeleteImages
from domain.get import GetImages
from domain.list import ListImages
from domain.read import ReadImage
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.clock import SettableClock
from tests.fakes.encoder import FakeEncoder
from tests.fakes.imaging import FakeImaging
from tests.fakes.keys import MemoryKeys
from tests.fakes.searches import MemorySearches
from tests.fakes.storage import MemoryStorage

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
def storage(clock: SettableClock) -> MemoryStorage:
    return MemoryStorage(clock)


@pytest.fixture
def searches() -> MemorySearches:
    return MemorySearches()


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def use_cases(  # noqa: PLR0913 - a composition names all it composes
    *,
    clock: SettableClock,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    searches: MemorySearches,
    keys: MemoryKeys,
) -> UseCases:
    search = SearchImages(encoder, imaging, catalog, searches, clock, MAX_BYTES)
    return UseCases(
        authenticate=Authenticate(keys, public_reading=True),
        issue_key=IssueKey(keys, clock),
        describe=Describe(encoder, catalog, "1.2.3", MAX_BYTES, MAX_FILES, ("image/png",)),
        upload=UploadImages(encoder, imaging, catalog, storage, clock, MAX_BYTES, MAX_FILES),
        search=search,
        similar=SimilarImages(search),
        list=ListImages(catalog),
        get=GetImages(catalog),
        read=ReadImage(storage),
        update=UpdateImage(catalog),
        tag=TagImages(catalog),
        untag=UntagImages(catalog),
        delete=DeleteImages(catalog, storage),
        sweep=Sweep(catalog, storage, searches, clock),
    )
