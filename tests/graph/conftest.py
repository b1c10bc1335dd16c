"""A server over fakes for each test."""

# ruff: noqa: ANN401 - options are of many types

from collections.abc import AsyncIterator, Iterator
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from graph.http import endpoint
from graph.http.app import create_app
from graph.http.options import HttpOptions
from graph.schema.document_cache import DocumentCache
from graph.schema.schema import Schema
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.recording_fakes import RecordingCatalog

TEST_HOST = "pictures.test"


built_schema = cache(Schema)


def _schema_of_a_server() -> Schema:
    schema = copy(built_schema())
    schema._documents = DocumentCache()  # noqa: SLF001 - all that a schema ever changes
    return schema


@pytest.fixture(scope="module", autouse=True)
def _types_built_once() -> Iterator[None]:
    """Let servers share the types: to build them takes longer than most requests."""
    with patch.object(endpoint, "Schema", _schema_of_a_server):
        yield


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def catalog(backend: FakeBackend) -> RecordingCatalog:
    return backend.catalog


@pytest.fixture
async def serve(backend: FakeBackend) -> AsyncIterator[Serve]:
    """Return a function that starts a server with options and returns a client of it."""
    clients: list[httpx.AsyncClient] = []

    def start(
        *, public_reading: bool = True, ready: Any = None, degraded: Any = None, **options: Any
    ) -> Client:
        use_cases = backend.use_cases(public_reading=public_reading)
        app = create_app(
            lambda: use_cases,
            replace(HttpOptions(allowed_hosts=(TEST_HOST,)), **options),
            ready=ready or {},
            degraded=degraded or {},
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        clients.append(httpx.AsyncClient(transport=transport, base_url=f"http://{TEST_HOST}"))
        return Client(clients[-1])

    yield start
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve()
