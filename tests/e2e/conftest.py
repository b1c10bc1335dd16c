from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from postcards import MODEL
from tests.e2e.postcards import fill
from tests.e2e.process import KEY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def model() -> Path:
    return MODEL


@pytest.fixture(scope="module")
def settings(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Nothing but a model that needs no network, a folder to throw away, and a key."""
    return {"model": model, "data_dir": tmp_path_factory.mktemp("data"), "api_key": KEY}


@pytest.fixture(scope="module")
def server(settings: dict[str, object]) -> Iterator[Server]:
    with Server.start(settings) as server:
        yield server


@pytest.fixture(scope="session")
def postcards(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with postcards, which tests only read."""
    data_dir = tmp_path_factory.mktemp("postcards")
    with Server.start({"model": model, "data_dir": data_dir, "api_key": KEY}) as server:
        fill(server)
        yield server
