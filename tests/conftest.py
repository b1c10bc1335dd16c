"""What tests share: one embedded PostgreSQL a session, and a fresh database from it for a test."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

TEMPLATE = "migrated"
LONG_FOLDERS = ("e2e", "postcards")


def pytest_configure(config: pytest.Config) -> None:
    # Workers share the processors: threads of torch that wait for each other would only spin.
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    # How long an example takes says how busy the machine is, and nothing else.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Files that take long begin first: begun last, all other workers would wait for one. Such are
    # those that share a database, which takes long to fill, and those of whole folders.
    def begins_late(item: pytest.Item) -> bool:
        shares = "postgres_module_url" in getattr(item, "fixturenames", ())
        return not shares and item.path.parent.name not in LONG_FOLDERS

    items.sort(key=begins_late)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own, which outlives the loops of the tests."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres_server(portal: BlockingPortal) -> Iterator[str]:
    """The URL of a server's maintenance database; its database ``migrated`` is a template."""
    # Not in pytest's own folder: each session closes that to all users but its own, and as root
    # PostgreSQL runs under another.
    with TemporaryDirectory(prefix="pictograph-tests-") as folder:
        server = embedded_postgres(Path(folder) / "postgres")
        with portal.wrap_async_context_manager(server) as url:
            portal.call(_forget_safety, url)
            portal.call(_make_template, url)
            yield url


@pytest.fixture
def postgres_url(portal: BlockingPortal, postgres_server: str) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    with _fresh_database(portal, postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def postgres_module_url(portal: BlockingPortal, postgres_server: str) -> Iterator[str]:
    """The URL of a migrated database for all tests of a file, which takes long to fill."""
    with _fresh_database(portal, postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_session_url(portal: BlockingPortal, postgres_server: str) -> Iterator[str]:
    """The URL of a migrated database for tests of several files."""
    with _fresh_database(portal, postgres_server) as url:
        yield url


@contextmanager
def _fresh_database(portal: BlockingPortal, server: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    portal.call(_execute, server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _database(server, name)
    portal.call(_execute, server, f"DROP DATABASE {name} WITH (FORCE)")


async def _forget_safety(url: str) -> None:
    # Nothing in it is to outlive a crash, and waiting for the disk takes half of a test's time.
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        await _execute(url, f"ALTER SYSTEM SET {setting} = off")
    await _execute(url, "SELECT pg_reload_conf()")


async def _make_template(url: str) -> None:
    await _execute(url, f"CREATE DATABASE {TEMPLATE}")
    async with open_engine(_database(url, TEMPLATE)) as engine:
        await upgrade(engine)


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
