"""What tests share: one embedded PostgreSQL a session, and a fresh database from it for a test."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships no types

from infra.embedded_postgres.cluster import SERVER_SETTINGS
from infra.embedded_postgres.server import embedded_postgres
from pictograph.cli.console import LOGGED_PACKAGES
from tests.databases import Databases, make_template

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from anyio.from_thread import BlockingPortal

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ

# Workers share the processors: threads of torch that wait for each other would only spin. torch
# reads the variable when it is imported, which other files of this kind may do.
if IS_WORKER:
    assert "torch" not in sys.modules, "torch has read the number of its threads already"
    os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
SHARED_SETTINGS = {
    # Of all workers together.
    "max_connections": "300",
    # Nothing in it is to outlive a crash, and waiting for the disk takes half of a test's time.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
LIBRARIES = (
    *("aiobotocore.session", "alembic.command", "moto.server", "numpy", "pgvector.sqlalchemy"),
    *("PIL.Image", "pillow_heif", "pydantic_settings", "rich.progress", "sqlmodel"),
    *("starlette.applications", "strawberry.asgi", "torch", "transformers", "typer", "uvicorn"),
    "websockets",
)
OF_TRANSFORMERS = ("AutoTokenizer", "CLIPImageProcessorPil", "CLIPModel", "CLIPTokenizer")
FOLDER = pytest.StashKey[TemporaryDirectory[str]]()
LONGEST = (
    "e2e/test_models.py",
    "infra/test_postgres_recall.py",
    "postcards/test_quality.py",
    "infra/test_embedded_postgres.py",
    "e2e/test_import.py",
    "infra/test_engines.py",
    "infra/test_s3_outages.py",
    "infra/test_reduced_decoding.py",
    "infra/test_clip.py",
    "e2e/test_failing_database_disk.py",
    "postcards/test_training.py",
    "e2e/test_outages.py",
    "e2e/test_commands.py",
    "infra/test_deferred_compiler.py",
    "e2e/test_serving.py",
    "infra/test_pillow.py",
    "e2e/test_meaning.py",
    "contracts/test_encoder.py",
    "infra/test_s3.py",
    "e2e/test_direct_uploads.py",
    "e2e/test_deployment.py",
    "infra/test_postgres_pages.py",
    "graph/test_subscriptions.py",
    "contracts/test_catalog_lists.py",
    "e2e/test_import_identity.py",
    "e2e/test_search.py",
    "e2e/test_demo.py",
    "contracts/test_catalog.py",
    "e2e/test_subscriptions.py",
    "e2e/test_photos.py",
    "infra/test_postgres_outages.py",
    "graph/test_websocket.py",
)
"""Files that take long, the longest first: begun last, all other workers would wait for one."""

TOGETHER = {
    "e2e/test_readme.py": "postcards",
    "e2e/test_search_command.py": "postcards",
    "infra/test_postgres_page_plans.py": "plans",
    "infra/test_postgres_plans.py": "plans",
}
"""Files that one worker runs, because they share what takes long to set up."""

APART = (
    "e2e/test_deployment.py",
    "e2e/test_embedded_database.py",
    "e2e/test_import.py",
    "e2e/test_import_identity.py",
    "e2e/test_models.py",
    "infra/test_embedded_postgres.py",
    "infra/test_s3.py",
)
"""Files whose tests share nothing, and that several workers run."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    if IS_WORKER:
        return
    folder = config.stash[FOLDER] = TemporaryDirectory(prefix="pictograph-")
    # A folder of this run's own. Pytest's default is closed to other users by each run that
    # starts, and as root PostgreSQL runs under another user.
    if config.option.basetemp is None:
        config.option.basetemp = f"{folder.name}/t"
    # Workers and the servers that tests start inherit it, and share what one has converted.
    os.environ["XDG_CACHE_HOME"] = f"{folder.name}/c"
    # Commands without PICTOGRAPH_DATA_DIR must not open the library of whoever runs the tests.
    os.environ["XDG_DATA_HOME"] = f"{folder.name}/d"


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(FOLDER, None):
        folder.cleanup()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        _import_libraries()
    # How long an example takes says how busy the machine is, and nothing else.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")


def pytest_xdist_auto_num_workers() -> int:
    # One more than processors, as tests also wait. Each takes 0.8 GB, and collects all tests.
    return min(8, 1 + (os.cpu_count() or 1))


def _import_libraries() -> None:
    """Import what takes long, before coverage begins to trace: traced, it takes twice as long."""
    # Not at the top: it imports torch.
    from infra.clip.deferred_compiler import deferred_compiler  # noqa: PLC0415

    with deferred_compiler():
        for name in LIBRARIES:
            import_module(name)
        for name in OF_TRANSFORMERS:
            getattr(sys.modules["transformers"], name)


class ScopeScheduling(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Gives workers a file at a time, or several that share a set-up, or a test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        return nodeid if file in APART else TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:  # noqa: ANN401 - xdist's own
    return ScopeScheduling(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(HERE).as_posix()
        return places.get(name, len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    # A server of tests/e2e may still run in a thread, and a command may have set levels: the other
    # tests expect that only warnings are logged.
    if "e2e" in item.path.parts:
        return (yield)
    loggers = [logging.getLogger(name) for name in LOGGED_PACKAGES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    result = yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    return result


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own, which outlives the loops of the tests."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres_server(
    portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[str]:
    """The URL of a server's maintenance database; one of its databases is a template.

    All workers of a run share the server.
    """
    own = tmp_path_factory.getbasetemp()
    folder = own if worker_id == "master" else own.parent
    with portal.wrap_async_context_manager(_shared_postgres(folder / "postgres")) as url:
        yield url


@asynccontextmanager
async def _shared_postgres(folder: Path) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        with patch.dict(SERVER_SETTINGS, SHARED_SETTINGS):
            url = await stack.enter_async_context(embedded_postgres(folder))
        with (folder / "template.lock").open("w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            if not (folder / "template.made").exists():
                await make_template(url)
                (folder / "template.made").touch()
        yield url


@pytest.fixture(scope="session")
def databases(postgres_server: str) -> Databases:
    """The databases of that server, for this worker."""
    return Databases(postgres_server)


@pytest.fixture
def postgres_url(portal: BlockingPortal, databases: Databases) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    with portal.wrap_async_context_manager(databases.lend()) as url:
        yield url


@pytest.fixture(scope="module")
def postgres_module_url(portal: BlockingPortal, databases: Databases) -> Iterator[str]:
    """The URL of a migrated database for all tests of a file, which takes long to fill."""
    with portal.wrap_async_context_manager(databases.own()) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_session_url(portal: BlockingPortal, databases: Databases) -> Iterator[str]:
    """The URL of a migrated database for tests of several files."""
    with portal.wrap_async_context_manager(databases.own()) as url:
        yield url
