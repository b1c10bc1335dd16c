"""The server over fakes, and clients of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.delete import DeleteImages
from domain.get import GetImages
from domain.import_images import ImportImages
from domain.list import ListImages
from domain.read import ReadImage
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from graph.http import create_app
from graph.options import HttpOptions
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.encoder import FakeEncoder
from tests.fakes.imaging import FakeImaging
from tests.fakes.keys import MemoryKeys
from tests.fakes.searches import MemorySearches
from tests.fakes.storage import MemoryStorage

KEY = "pictograph_the-key-of-these-tests"
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
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    searches: MemorySearches = field(default_factory=MemorySearches)
    keys: MemoryKeys = field(default_factory=MemoryKeys)

    def use_cases(self, *, public_reading: bool = True) -> UseCases:
        search = SearchImages(
            encoder=self.encoder,
            imaging=self.imaging,
            catalog=self.catalog,
            searches=self.searches,
            clock=self.clock,
            max_bytes=MAX_BYTES,
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
            list=ListImages(self.catalog),
            get=GetImages(self.catalog),
            read=ReadImage(self.storage),
            update=UpdateImage(self.catalog),
            tag=TagImages(self.catalog),
            untag=UntagImages(self.catalog),
            delete=DeleteImages(self.catalog, self.storage),
            sweep=Sweep(self.catalog, self.storage, self.searches, self.clock),
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


UPLOAD = """
    mutation ($files: [Upload!]!, $tags: [String!]) {
      uploadImages(input: {files: $files, tags: $tags}) {
        results { isDuplicate image { id filename tags } }
        userErrors { field message code }
      }
    }
"""


def upload_form(files: dict[str, bytes], *, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return httpx's arguments for a multipart request that uploads files."""
    variables = {"files": [None] * len(files), "tags": list(tags)}
    return multipart(
        {"query": UPLOAD, "variables": variables},
        {str(place): [f"variables.files.{place}"] for place in range(len(files))},
        {str(place): file for place, file in enumerate(files.items())},
    )


def multipart(operations: object, places: object, files: dict[str, tuple[str, bytes]]) -> Any:
    """Return httpx's arguments for a multipart request."""
    fields = {"operations": json.dumps(operations), "map": json.dumps(places)}
    parts = [(name, (None, text.encode())) for name, text in fields.items()]
    return {"files": [*parts, *files.items()]}


@pytest.fixture
def world() -> World:
    return World()


Serve = Callable[..., Client]


@pytest.fixture
async def serve(world: World) -> AsyncIterator[Serve]:
    """Return what starts a server with options, and hands a client of it."""
    clients: list[httpx.AsyncClient] = []

    def start(*, public_reading: bool = True, ready: Any = None, **options: Any) -> Client:
        app = create_app(
            world.use_cases(public_reading=public_reading),
            replace(HttpOptions(), **options),
            ready=ready or {},
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://pictures.test"))
        return Client(clients[-1])

    yield start
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve()
