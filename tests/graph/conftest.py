"""A server over fakes for each test."""

# ruff: noqa: ANN401 - options are of many types

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from graph.http.app import create_app
from graph.http.options import HttpOptions
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.recording_fakes import RecordingCatalog

TEST_HOST = "pictures.test"


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
