"""The composition root: the only file that knows every adapter."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from domain import LibraryPorts, LibraryUseCases, build_library_use_cases
from domain.errors import Misconfigured
from domain.runtime.loaded_models import REFRESH_SECONDS, LoadedModels
from domain.runtime.periodic import (
    PERIOD_SECONDS,
    build_due_indexes,
    compare_new_images,
    delete_expired_searches,
    delete_expired_targets,
    empty_trash,
    refresh_scans,
    render_imported,
    restore_tasks,
    scrub_originals,
)
from domain.runtime.worker import WORKER_POLL_SECONDS, keep_all_indexing
from pictograph.adapters import (
    claims_for,
    imaging,
    open_database,
    open_engine_for_health,
    open_engine_for_requests,
    open_external_files,
    open_storage,
    open_tables,
    staging_for,
)
from pictograph.collection import exempt_what_stays
from pictograph.composition import Shared, utc_now
from pictograph.running import recording

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine

    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.applications import Starlette

    from domain import UseCases
    from domain.ports import Storage
    from infra.external_files import ExternalLocations
    from infra.postgres.events import PostgresEvents
    from infra.settings import Settings

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415

T = TypeVar("T")

logger = logging.getLogger("pictograph")


@dataclass(frozen=True, slots=True)
class Pictograph:
    """The use cases of a library and of its loaded models, and the way in over HTTP."""

    library: LibraryUseCases
    loaded_models: LoadedModels
    events: PostgresEvents
    http: Starlette

    @property
    def use_cases(self) -> UseCases:
        """The use cases of the model that is in use at this moment."""
        return self.loaded_models.use_cases()

    async def refresh_models(self) -> None:
        """Follow the changes of the library's models until cancelled."""
        from infra.postgres.events import Channel

        await self.loaded_models.keep_refreshing(
            partial(
                self.events.wait_for_notification,
                Channel.MODELS,
                timeout_seconds=REFRESH_SECONDS,
            )
        )

    async def refresh_scans(self) -> None:
        """Follow `pictograph tune`, until cancelled."""
        from infra.postgres.events import Channel

        await refresh_scans(
            self.loaded_models.live,
            partial(
                self.events.wait_for_notification,
                Channel.SCAN_TABLES,
                timeout_seconds=PERIOD_SECONDS,
            ),
        )

    async def work(
        self,
        on_ended: Callable[[int], None] = lambda _: None,
        *,
        low_priority: bool = False,
        except_model_id: int | None = None,
    ) -> None:
        """Finish tasks of all models until cancelled; ``on_ended`` gets how many tasks have ended.

        The tasks of ``except_model_id`` are left to other workers.
        """
        from infra.postgres.events import Channel

        wait = partial(
            self.events.wait_for_notification, Channel.WORK, timeout_seconds=WORKER_POLL_SECONDS
        )
        await keep_all_indexing(
            self.loaded_models,
            on_ended=on_ended,
            wait=wait,
            low_priority=low_priority,
            except_model_id=except_model_id,
        )

    @asynccontextmanager
    async def deferring_index(self) -> AsyncIterator[None]:
        """Build the index of a library without images at the end of the block, which fills it."""
        model_id = self.loaded_models.active().model.id
        await self.library.models.defer_index(model_id)
        yield
        await self.library.models.build_index(model_id)

    async def work_for_others(self) -> None:
        """Finish tasks of all models except the one that is in use now, until cancelled."""
        model_id = self.loaded_models.active().model.id
        await asyncio.gather(
            self.refresh_models(),
            self.work(except_model_id=model_id),
            build_due_indexes(self.library.models.build_due_indexes),
        )


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[LibraryUseCases]:
    """Open the database and the files, and load no model."""
    async with (
        open_storage(settings) as storage,
        open_tables(settings) as engine,
        open_external_files(settings) as external_files,
    ):
        yield _library(settings, engine, storage, external_files)


def _library(
    settings: Settings, engine: AsyncEngine, storage: Storage, external_files: ExternalLocations
) -> LibraryUseCases:
    from infra.postgres.catalog.catalog import PostgresCatalog
    from infra.postgres.catalog.trash import PostgresTrash
    from infra.postgres.identity import PostgresIdentity
    from infra.postgres.keys import PostgresKeys
    from infra.postgres.models.changes import PostgresModelChanges
    from infra.postgres.models.models import PostgresModels
    from infra.postgres.scrubs import PostgresScrubs
    from infra.postgres.searches import PostgresKeptSearches
    from infra.postgres.targets import PostgresUploadTargets
    from infra.postgres.work.repair_queue import PostgresRepairQueue

    return build_library_use_cases(
        LibraryPorts(
            catalog=PostgresCatalog(engine),
            claims=claims_for(storage, settings),
            clock=utc_now,
            external_files=external_files,
            identity=PostgresIdentity(engine),
            keys=PostgresKeys(engine),
            model_changes=PostgresModelChanges(engine),
            models=PostgresModels(engine),
            repair_queue=PostgresRepairQueue(engine),
            scrubs=PostgresScrubs(engine),
            searches=PostgresKeptSearches(engine),
            staging=staging_for(storage, settings),
            storage=storage,
            trash=PostgresTrash(engine),
            upload_targets=PostgresUploadTargets(engine),
        ),
        trash_lifetime=settings.trash_lifetime,
        scrub_lifetime=settings.scrub_lifetime,
    )


@asynccontextmanager
async def open_pictograph(
    settings: Settings, *, serving: bool = False
) -> AsyncIterator[Pictograph]:
    """Open everything, and load the ACTIVE model. Others are loaded by ``refresh_models``.

    The requests of a server (``serving``) have connections of their own, with time limits.
    """
    async with AsyncExitStack() as stack:
        # First, so that a wrong setting is told before anything heavy is imported.
        storage = await stack.enter_async_context(open_storage(settings))
        engine = await stack.enter_async_context(open_tables(settings))

        from graph.http.app import create_app
        from graph.http.body import Pace
        from graph.http.options import HttpOptions
        from infra.postgres.engine import check_server
        from infra.postgres.events import PostgresEvents
        from infra.postgres.models.models import PostgresModels
        from infra.postgres.revision import check_current
        from infra.postgres.searches import PostgresKeptSearches

        pictures = imaging(settings)
        decoders = await stack.enter_async_context(_entering(pictures))
        requests = health = engine
        if serving:
            requests = await stack.enter_async_context(open_engine_for_requests(settings, engine))
            health = await stack.enter_async_context(open_engine_for_health(engine))
        events = await stack.enter_async_context(PostgresEvents.open(engine))
        external_files = await stack.enter_async_context(open_external_files(settings))
        shared = Shared(
            settings, requests, storage, pictures, events, external_files, background=engine
        )
        library = _library(settings, engine, storage, external_files)
        await library.claim_storage()
        if settings.listens_beyond_loopback and not await _has_key(settings, library):
            raise Misconfigured(
                f"A server on {settings.host} can be reached by other machines, and there is no "
                "key: run `pictograph keys create NAME`, or set PICTOGRAPH_API_KEY."
            )
        loaded_models = await stack.enter_async_context(
            LoadedModels.open(
                PostgresModels(engine),
                library.models.finish_backfill,
                shared.load_model,
                grace_seconds=settings.operation_seconds,
            )
        )
        await asyncio.shield(decoders)
        yield Pictograph(
            library,
            loaded_models,
            events,
            create_app(
                loaded_models.use_cases,
                HttpOptions(
                    public_url=str(settings.public_url) if settings.public_url else None,
                    allowed_hosts=settings.host_names,
                    cors_origins=settings.cors_origins,
                    cors_headers=settings.cors_headers,
                    trusted_proxies=settings.proxies,
                    max_request_bytes=settings.max_request_bytes,
                    pace=Pace(min_bytes_per_second=settings.min_bytes_per_second),
                    operation_seconds=settings.operation_seconds,
                ),
                ready={
                    "model": lambda: loaded_models.active().check(),
                    "database": lambda: check_server(health),
                    "migrations": lambda: check_current(health),
                },
                degraded={
                    "changes": PostgresKeptSearches(health).check,
                    "storage": storage.check,
                },
            ),
        )


@asynccontextmanager
async def _entering(context: AbstractAsyncContextManager[T]) -> AsyncIterator[asyncio.Task[T]]:
    """Enter a context while the block goes on, which has to await the task; exit it afterwards."""
    entering = asyncio.create_task(_enter(context))
    try:
        yield entering
    finally:
        # Never cancelled: a context that is entered by half would not be exited.
        await asyncio.wait([entering])
        if entering.exception() is None:
            await context.__aexit__(None, None, None)


async def _enter(context: AbstractAsyncContextManager[T]) -> T:
    return await context.__aenter__()


async def _has_key(settings: Settings, library: LibraryUseCases) -> bool:
    keys = await library.list_keys()
    return settings.api_key is not None or any(key.revoked_at is None for key in keys)


def greeting(url: str) -> str:
    """Return the lines that a server prints once it answers requests."""
    return f"The gallery is at {url}/\nPictograph answers at {url}/graphql"


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    background: Callable[[UseCases], Coroutine[None, None, None]] | None = None,
) -> None:
    """Answer requests until SIGINT or SIGTERM.

    ``ready`` gets the address once requests are answered. ``background`` runs from then on.
    """
    from graph.http import server

    if settings.listens_beyond_loopback and not settings.public_url:
        logger.warning(
            "without PICTOGRAPH_PUBLIC_URL the server answers only for IP addresses and for %s; "
            "PICTOGRAPH_ALLOWED_HOSTS adds hosts",
            ", ".join(("localhost", *settings.host_names)),
        )
    # Bound first: a port that is taken is told before a model is loaded.
    with server.bind(settings.host, settings.port) as listening, recording(settings) as record:
        await _serve(settings, listening, record, ready=ready, background=background)


async def _serve(
    settings: Settings,
    listening: socket.socket,
    record: Callable[[str], None],
    *,
    ready: Callable[[str], None],
    background: Callable[[UseCases], Coroutine[None, None, None]] | None,
) -> None:
    from graph.http import server
    from graph.http.body import Pace
    from graph.http.protocol import ConnectionLimits

    async with open_pictograph(settings, serving=True) as pictograph:
        # No task holds the use cases: they would keep a dropped model in memory.
        tasks: list[Callable[[], Coroutine[None, None, None]]] = [
            pictograph.refresh_models,
            pictograph.refresh_scans,
            partial(delete_expired_searches, pictograph.use_cases.sweep),
            partial(empty_trash, pictograph.library.empty_trash),
            partial(scrub_originals, pictograph.library.scrub),
            partial(delete_expired_targets, pictograph.use_cases.sweep_targets),
            partial(restore_tasks, pictograph.library.restore_tasks),
            partial(build_due_indexes, pictograph.library.models.build_due_indexes),
            partial(compare_new_images, pictograph.loaded_models.ready_use_cases),
            *(
                [
                    partial(pictograph.work, low_priority=True),
                    partial(render_imported, lambda: pictograph.use_cases),
                ]
                if settings.worker
                else []
            ),
            *([partial(_run, background, pictograph)] if background else []),
        ]

        def started(url: str) -> None:
            exempt_what_stays()
            record(url)
            ready(url)

        await server.serve(
            pictograph.http,
            listening,
            log_level=settings.log_level,
            limits=ConnectionLimits(
                settings.max_connections,
                Pace(min_bytes_per_second=settings.min_bytes_per_second),
            ),
            drain_seconds=settings.drain_seconds,
            ready=started,
            draining=pictograph.http.state.draining.set,
            stopping=pictograph.http.state.stopping.set,
            background=tasks,
        )


async def _run(
    background: Callable[[UseCases], Coroutine[None, None, None]], pictograph: Pictograph
) -> None:
    await background(pictograph.use_cases)


async def work(
    settings: Settings, *, ready: Callable[[UseCases], None], on_ended: Callable[[int], None]
) -> None:
    """Finish queued tasks until cancelled."""
    async with open_pictograph(settings) as pictograph:
        ready(pictograph.use_cases)
        await asyncio.gather(
            pictograph.refresh_models(),
            restore_tasks(pictograph.library.restore_tasks),
            build_due_indexes(pictograph.library.models.build_due_indexes),
            pictograph.work(on_ended),
            render_imported(lambda: pictograph.use_cases),
        )


async def migrate(settings: Settings, *, create_bucket: bool) -> None:
    """Run all migrations, and create a missing bucket where that is asked for."""
    from infra.postgres.migrate import upgrade

    async with open_database(settings) as engine:
        await upgrade(engine)
    if create_bucket:
        async with open_storage(settings, create_bucket=True):
            pass
