"""The server's use cases over fakes, and a GraphQL client."""

# ruff: noqa: ANN401 - a response is any JSON

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain import Limits, Ports, UseCases, build_use_cases
from domain.concurrency import Retry
from tests.fakes.claims import MemoryClaims, MemoryIdentity
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.embedding_space import FakeEmbeddingSpace
from tests.fakes.encoder import FakeEncoder
from tests.fakes.external_files import MemoryExternalFiles
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.imaging import FakeImaging
from tests.fakes.kept_searches import MemoryKeptSearches
from tests.fakes.object_listing import MemoryObjectListing
from tests.fakes.places import MemoryPlaces
from tests.fakes.renditions import MemoryRenditions
from tests.fakes.scans import MemoryQuerySamples, MemoryScanTables, MemoryScanTrials
from tests.fakes.staging import MemoryStaging
from tests.fakes.trash import MemoryTrash
from tests.fakes.upload_targets import MemoryUploadTargets
from tests.fakes.work_queue import MemoryWorkQueue
from tests.graph.multipart_requests import KEY, upload_form
from tests.graph.recording_fakes import FailingKeys, RecordingCatalog, RecordingStorage

MAX_BYTES = 10_000
MAX_FILES = 5


@dataclass
class Clock:
    """A clock that advances by a second with each reading, or by hand."""

    now: datetime = datetime(2026, 5, 4, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class FakeBackend:
    """The fake adapters behind the use cases."""

    clock: Clock = field(default_factory=Clock)
    encoder: FakeEncoder = field(default_factory=FakeEncoder)
    imaging: FakeImaging = field(default_factory=FakeImaging)
    catalog: RecordingCatalog = field(default_factory=RecordingCatalog)
    storage: RecordingStorage = field(default_factory=RecordingStorage)
    sources: MemoryExternalFiles = field(default_factory=MemoryExternalFiles)
    searches: MemoryKeptSearches = field(default_factory=MemoryKeptSearches)
    keys: FailingKeys = field(default_factory=FailingKeys)

    retry: Retry = field(default_factory=lambda: Retry((0.0,)))

    def __post_init__(self) -> None:
        """Create the fakes that read the catalog."""
        self.space = FakeEmbeddingSpace(self.catalog)
        self.duplicates = MemoryDuplicates(self.catalog)
        self.work = MemoryWorkQueue(self.catalog, self.clock)
        self.staging = MemoryStaging(self.clock)
        self.targets = MemoryUploadTargets(self.catalog)

    def use_cases(self, *, public_reading: bool = True) -> UseCases:
        """Build the use cases over the fakes."""
        ports = Ports(
            catalog=self.catalog,
            claims=MemoryClaims(),
            clock=self.clock,
            duplicates=self.duplicates,
            embedding_space=self.space,
            encoder=self.encoder,
            events=self.catalog.events,
            external_files=self.sources,
            external_objects=MemoryExternalObjects(self.work),
            identity=MemoryIdentity(),
            imaging=self.imaging,
            ingestion=self.catalog,
            keys=self.keys,
            known_models=self.catalog,
            missing_objects=MemoryExternalObjects(self.work),
            local_staging=self.staging,
            object_listing=MemoryObjectListing(self.sources),
            places=MemoryPlaces(self.catalog),
            query_samples=MemoryQuerySamples(),
            ready_feed=self.catalog,
            renditions=MemoryRenditions(self.catalog),
            scan_tables=MemoryScanTables(),
            scan_trials=MemoryScanTrials(self.catalog),
            searches=self.searches,
            staging=self.staging,
            storage=self.storage,
            trash=MemoryTrash(self.catalog),
            upload_targets=self.targets,
            vectors=self.catalog,
            work_queue=self.work,
        )
        limits = Limits(
            version="1.2.3",
            max_upload_bytes=MAX_BYTES,
            max_files_per_request=MAX_FILES,
            accepted_content_types=("image/png",),
            public_reading=public_reading,
            configured_key=KEY,
        )
        built = build_use_cases(ports, limits)
        return replace(
            built,
            watch_status=replace(built.watch_status, retry=self.retry),
            watch_matches=replace(built.watch_matches, retry=self.retry),
        )


class Client:
    """Sends operations, and returns the parts of their responses."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the whole response."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"query": query, "variables": variables}
        return (await self.http.post("/graphql", json=body, headers=headers)).json()

    async def data(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the data of a response without errors."""
        response = await self.ask(query, key=key, **variables)
        assert "errors" not in response, response
        return response["data"]

    async def change(self, query: str, **variables: object) -> Any:
        """Send a mutation with the key, and return its data."""
        return await self.data(query, key=KEY, **variables)

    async def error(self, query: str, *, key: str | None = None, **variables: object) -> Any:
        """Return the only error of a response."""
        [error] = (await self.ask(query, key=key, **variables))["errors"]
        return error

    async def upload(
        self, *files: bytes, names: tuple[str, ...] = (), tags: tuple[str, ...] = ()
    ) -> Any:
        """Upload files, and return the payload."""
        named = names or tuple(f"{index}.png" for index in range(len(files)))
        response = await self.http.post(
            "/graphql",
            headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
            **upload_form(dict(zip(named, files, strict=True)), tags=tags),
        )
        return response.json()["data"]["uploadImages"]


Serve = Callable[..., Client]
"""Starts a server with options, and returns a client of it."""
