"""The server over fakes, and clients of it."""

# ruff: noqa: ANN401 - what a server answers is any JSON

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.complete_uploads import CompleteUploads
from domain.create_upload_targets import CreateUploadTargets
from domain.delete import DeleteImages
from domain.duplicates import FindDuplicates
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
from domain.patience import Patience
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
from domain.watch_matches import WatchMatches
from domain.watch_status import WatchStatus
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.encoder import FakeEncoder
from tests.fakes.imaging import FakeImaging
from tests.fakes.objects import MemoryObjects
from tests.fakes.places import MemoryPlaces
from tests.fakes.searches import MemorySearches
from tests.fakes.sources import MemorySources
from tests.fakes.space import FakeSpace
from tests.fakes.staging import MemoryStaging
from tests.fakes.targets import MemoryTargets
from tests.fakes.work import MemoryWork
from tests.graph.requests import KEY, upload_form
from tests.graph.watched import WatchedCatalog, WatchedKeys, WatchedStorage

MAX_BYTES = 10_000
MAX_FILES = 5


@dataclass
class Clock:
    """Time that goes when it is told to."""

    now: datetime = datetime(2026, 5, 4, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class World:
    """Everything behind the use cases, within reach of the tests."""

    clock: Clock = field(default_factory=Clock)
    encoder: FakeEncoder = field(default_factory=FakeEncoder)
    imaging: FakeImaging = field(default_factory=FakeImaging)
    catalog: WatchedCatalog = field(default_factory=WatchedCatalog)
    storage: WatchedStorage = field(default_factory=WatchedStorage)
    sources: MemorySources = field(default_factory=MemorySources)
    searches: MemorySearches = field(default_factory=MemorySearches)
    keys: WatchedKeys = field(default_factory=WatchedKeys)

    patience: Patience = field(default_factory=lambda: Patience((0.0,)))

    def __post_init__(self) -> None:
        """Look for what is by chance where the images are."""
        self.space = FakeSpace(self.catalog)
        self.duplicates = MemoryDuplicates(self.catalog)
        self.work = MemoryWork(self.catalog, self.clock)
        self.staging = MemoryStaging(self.clock)
        self.targets = MemoryTargets(self.catalog)

    def use_cases(self, *, public_reading: bool = True) -> UseCases:
        search = SearchImages(
            Questions(self.encoder, self.imaging, self.catalog, self.space, MAX_BYTES),
            JudgeHits(self.space, self.encoder.model),
            self.catalog,
            self.duplicates,
            self.searches,
            self.clock,
        )
        upload = UploadImages(
            encoder=self.encoder,
            imaging=self.imaging,
            catalog=self.catalog,
            storage=self.storage,
            clock=self.clock,
            max_bytes=MAX_BYTES,
            max_files=MAX_FILES,
        )
        index = IndexImages(
            self.encoder,
            self.imaging,
            self.storage,
            self.sources,
            ReadImage(self.storage, self.sources),
            self.work,
            self.clock,
            MAX_BYTES,
        )
        places, objects = MemoryPlaces(self.sources), MemoryObjects(self.work)
        return UseCases(
            authenticate=Authenticate(self.keys, public_reading, configured_key=KEY),
            issue_key=IssueKey(self.keys, self.clock),
            describe=Describe(
                encoder=self.encoder,
                catalog=self.catalog,
                version="1.2.3",
                max_upload_bytes=MAX_BYTES,
                max_files_per_request=MAX_FILES,
                accepted_content_types=("image/png",),
            ),
            upload=upload,
            import_=ImportImages(upload),
            search=search,
            similar=SimilarImages(search),
            duplicates=FindDuplicates(self.duplicates, self.catalog),
            hash_images=HashImages(self.imaging, self.storage, self.duplicates),
            index=index,
            reconcile=ReconcileObjects(places, objects, self.storage),
            reconcile_manifest=ReconcileManifest(places, objects, self.storage),
            estimate=EstimateImport(self.encoder, self.imaging, self.sources, MAX_BYTES),
            index_found=IndexFound(index, objects),
            list=ListImages(self.catalog),
            facets=CountFacets(self.catalog),
            label=LabelImages(self.encoder, self.catalog),
            get=GetImages(self.catalog),
            read=ReadImage(self.storage, self.sources),
            update=UpdateImage(self.catalog),
            tag=TagImages(self.catalog),
            untag=UntagImages(self.catalog),
            delete=DeleteImages(self.catalog, self.storage),
            sweep=Sweep(self.catalog, self.storage, self.searches, self.clock),
            create_upload_targets=CreateUploadTargets(
                self.catalog, self.targets, self.staging, self.clock, MAX_BYTES, ("image/png",)
            ),
            complete_uploads=CompleteUploads(
                self.imaging, self.catalog, self.storage, self.targets, self.staging, self.clock
            ),
            receive_upload=ReceiveUpload(self.staging, self.clock),
            sweep_targets=SweepTargets(self.targets, self.staging, self.clock),
            watch_status=WatchStatus(self.catalog, self.catalog.events, self.patience),
            watch_matches=WatchMatches(search, self.catalog.events, self.clock, self.patience),
        )


class Client:
    """GraphQL for short."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the whole answer."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"query": query, "variables": variables}
        return (await self.http.post("/graphql", json=body, headers=headers)).json()

    async def data(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the data of an answer without errors."""
        answer = await self.ask(query, key=key, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def change(self, query: str, **variables: object) -> Any:
        """Return the data of a change without errors."""
        return await self.data(query, key=KEY, **variables)

    async def error(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the one error of an answer."""
        [error] = (await self.ask(query, key=key, **variables))["errors"]
        return error

    async def upload(
        self, *files: bytes, names: tuple[str, ...] = (), tags: tuple[str, ...] = ()
    ) -> Any:
        """Upload files, and return the payload."""
        named = names or tuple(f"{place}.png" for place in range(len(files)))
        answer = await self.http.post(
            "/graphql",
            headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
            **upload_form(dict(zip(named, files, strict=True)), tags=tags),
        )
        return answer.json()["data"]["uploadImages"]


Serve = Callable[..., Client]
"""What starts a server with options, and returns a client of it."""
