"""The composition root: the only file that knows every adapter."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from domain.errors import Misconfigured
from domain.runtime.loaded_models import LOOK_SECONDS, LoadedModels
from domain.runtime.periodic import (
    compare_new_images,
    delete_expired_searches,
    delete_expired_targets,
)
from domain.runtime.worker import PAUSE_SECONDS, keep_all_indexing
from domain.use_cases.access import IssueKey
from domain.use_cases.maintenance.check import CheckLibrary
from domain.use_cases.maintenance.sweep import Sweep
from domain.use_cases.maintenance.sweep_targets import SweepTargets
from pictograph.adapters import (
    imaging,
    open_database,
    open_outside,
    open_storage,
    open_tables,
    staging_beside,
)
from pictograph.composition import Shared, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.applications import Starlette

    from domain import UseCases
    from domain.ports import Keys
    from infra.postgres.events import PostgresEvents
    from infra.postgres.models.models import PostgresModels
    from infra.settings import Settings

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415


@dataclass(frozen=True, slots=True)
class Library:
    """What can be done without a model."""

    keys: Keys
    issue_key: IssueKey
    sweep: Sweep
    check: CheckLibrary
    sweep_targets: SweepTargets
    models: PostgresModels


@dataclass(frozen=True, slots=True)
class Pictograph:
    """All that can be done, and the way in over HTTP."""

    editions: LoadedModels
    models: PostgresModels
    events: PostgresEvents
    http: Starlette

    @property
    def use_cases(self) -> UseCases:
        """What can be done at this moment."""
        return self.editions.current()

    async def follow(self) -> None:
        """Keep up with the models of the library, for ever."""
        from infra.postgres.events import Channel

        await self.editions.follow(
            partial(self.events.news, Channel.MODELS, at_latest=LOOK_SECONDS)
        )

    async def work(
        self,
        ended: Callable[[int], None] = lambda _: None,
        *,
        gently: bool = False,
        but: int | None = None,
    ) -> None:
        """Do what work is written down, for ever; ``ended`` gets how much has just been done.

        For every model, or for all but one.
        """
        from infra.postgres.events import Channel

        wait = partial(self.events.news, Channel.WORK, at_latest=PAUSE_SECONDS)
        await keep_all_indexing(self.editions, ended=ended, wait=wait, gently=gently, but=but)

    async def work_for_others(self) -> None:
        """Do the work of all models but the one that answers now, however that changes."""
        but = self.editions.answering().model.id
        await asyncio.gather(self.follow(), self.work(but=but))


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[Library]:
    """Open the database and the files."""
    from infra.postgres.catalog.catalog import PostgresCatalog
    from infra.postgres.keys import PostgresKeys
    from infra.postgres.models.models import PostgresModels
    from infra.postgres.searches import PostgresKeptSearches
    from infra.postgres.targets import PostgresUploadTargets
    from infra.postgres.work.repair_queue import PostgresRepairQueue

    async with (
        open_storage(settings) as storage,
        open_tables(settings) as engine,
        open_outside(settings) as outside,
    ):
        keys, catalog = PostgresKeys(engine), PostgresCatalog(engine)
        yield Library(
            keys=keys,
            issue_key=IssueKey(keys, utc_now),
            sweep=Sweep(catalog, storage, PostgresKeptSearches(engine), utc_now),
            check=CheckLibrary(catalog, storage, outside, PostgresRepairQueue(engine)),
            sweep_targets=SweepTargets(
                PostgresUploadTargets(engine), staging_beside(storage, settings), utc_now
            ),
            models=PostgresModels(engine),
        )


@asynccontextmanager
async def open_pictograph(settings: Settings) -> AsyncIterator[Pictograph]:
    """Open everything, with the model that answers; `editions` loads others where they are used."""
    from graph.http.app import create_app
    from graph.http.options import HttpOptions
    from infra.postgres.engine import check_server
    from infra.postgres.events import PostgresEvents
    from infra.postgres.keys import PostgresKeys
    from infra.postgres.migrate import check_current
    from infra.postgres.models.models import PostgresModels

    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings))
        engine = await stack.enter_async_context(open_tables(settings))
        events = await stack.enter_async_context(PostgresEvents.open(engine))
        pictures = await stack.enter_async_context(imaging(settings))
        outside = await stack.enter_async_context(open_outside(settings))
        shared = Shared(settings, engine, storage, pictures, events, outside)
        models = PostgresModels(engine)
        editions = await stack.enter_async_context(
            LoadedModels.of(models, shared.edition, grace=settings.operation_seconds)
        )
        if settings.listens_beyond_loopback and not await _has_key(settings, PostgresKeys(engine)):
            raise Misconfigured(
                f"A server on {settings.host} can be reached by other machines, and there is no "
                "key: run `pictograph keys create NAME`, or set PICTOGRAPH_API_KEY."
            )
        yield Pictograph(
            editions,
            models,
            events,
            create_app(
                editions.current,
                HttpOptions(
                    public_url=str(settings.public_url) if settings.public_url else None,
                    cors_origins=settings.cors_origins,
                    max_request_bytes=settings.max_request_bytes,
                    operation_seconds=settings.operation_seconds,
                ),
                ready={
                    "model": lambda: editions.answering().check(),
                    "database": lambda: check_server(engine),
                    "migrations": lambda: check_current(engine),
                },
            ),
        )


async def _has_key(settings: Settings, keys: Keys) -> bool:
    return settings.api_key is not None or any(key.revoked_at is None for key in await keys.list())


def greeting(url: str) -> str:
    """Return what people are told once requests are answered at an address."""
    return f"The gallery is at {url}/\nPictograph answers at {url}/graphql"


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    beside: Callable[[UseCases], Coroutine[None, None, None]] | None = None,
) -> None:
    """Answer until told to stop. ``ready`` gets the address, and ``beside`` begins."""
    from graph.http import server

    async with open_pictograph(settings) as pictograph:
        # No use cases are kept here: with them a model would stay that is dropped one day.
        works: list[Callable[[], Coroutine[None, None, None]]] = [
            pictograph.follow,
            partial(delete_expired_searches, pictograph.use_cases.sweep),
            partial(delete_expired_targets, pictograph.use_cases.sweep_targets),
            partial(compare_new_images, pictograph.editions.prepared),
            *([partial(pictograph.work, gently=True)] if settings.worker else []),
            *([partial(_begin, beside, pictograph)] if beside else []),
        ]
        with server.bind(settings.host, settings.port) as listening:
            await server.serve(
                pictograph.http,
                listening,
                log_level=settings.log_level,
                ready=ready,
                stopping=pictograph.http.state.stopping.set,
                background=works,
            )


async def _begin(
    beside: Callable[[UseCases], Coroutine[None, None, None]], pictograph: Pictograph
) -> None:
    await beside(pictograph.use_cases)


async def work(
    settings: Settings, *, ready: Callable[[UseCases], None], ended: Callable[[int], None]
) -> None:
    """Do what work is written down, until told to stop."""
    async with open_pictograph(settings) as pictograph:
        ready(pictograph.use_cases)
        await asyncio.gather(pictograph.follow(), pictograph.work(ended))


async def migrate(settings: Settings, *, create_bucket: bool) -> None:
    """Bring the tables up to date and, where that is wanted, make a missing bucket."""
    from infra.postgres.migrate import upgrade

    async with open_database(settings) as engine:
        await upgrade(engine)
    if create_bucket:
        async with open_storage(settings, create_bucket=True):
            pass
