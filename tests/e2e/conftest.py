from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from infra.postgres import engine
from postcards import MODEL
from tests.e2e.postcards import fill
from tests.e2e.process import KEY, Server, typed_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _slow_machine() -> Iterator[None]:
    """Let connections take long: workers of a busy machine may wait for seconds."""
    with patch.object(engine, "MAX_CONNECT_SECONDS", 60.0):
        yield


@pytest.fixture(scope="session")
def model() -> Path:
    return MODEL


@pytest.fixture(scope="module")
def settings(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Nothing but a model that needs no network, a folder to throw away, and a key."""
    folder = tmp_path_factory.mktemp("data")
    return {"model": model, "data_dir": folder, "api_key": KEY, "trash_days": 0}


@pytest.fixture(scope="module")
def shared_settings(settings: dict[str, object], postgres_module_url: str) -> dict[str, object]:
    """The settings, with a database of the server that the tests share: it starts at once.

    Deletions are final: a test that uploads the picture of another would get it from the trash.
    """
    return settings | {"database_url": typed_url(postgres_module_url)}


@pytest.fixture(scope="module")
def server(shared_settings: dict[str, object]) -> Iterator[Server]:
    """An empty server for the tests of a file."""
    with Server.in_thread(shared_settings) as server:
        yield server


@pytest.fixture(scope="session")
def postcards(
    model: Path, postgres_session_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with postcards, which tests only read."""
    settings = {
        "model": model,
        "data_dir": tmp_path_factory.mktemp("postcards"),
        "database_url": typed_url(postgres_session_url),
        "api_key": KEY,
        "trash_days": 0,
    }
    with Server.in_thread(settings) as server:
        fill(server)
        yield server
