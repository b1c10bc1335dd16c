"""The composition root: the only file that knows every adapter."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.check import CheckLibrary
from domain.delete import DeleteImages
from domain.duplicates import FindDuplicates
from domain.editions import Edition, Editions
from domain.errors import Misconfigured
from domain.facets import CountFacets
from domain.get import GetImages
from domain.hash_images import HashImages, look_for_duplicates
from domain.import_images import ImportImages
from domain.index import IndexImages
from domain.judge import JudgeHits
from domain.label import LabelImages
from domain.list import ListImages
from domain.questions import Questions
from domain.read import ReadImage
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep, tidy
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from domain.worker import keep_all_indexing
from infra.opening import (
    imaging,
    open_database,
    open_encoder,
    open_storage,
    open_tables,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.applications import Starlette

    from domain.models import LiveModel
    from domain.ports import Keys, Storage
    from infra.clip import ClipEncoder
    from infra.pillow import PillowImaging
    from infra.postgres.model_change import PostgresModels
    from infra.settings import Settings

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415


def utc_now() -> datetime:
    """Return the current instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Library:
    """What can be done without a model."""

    keys: Keys
    issue_key: IssueKey
    sweep: Sweep
    check: CheckLibrary
    models: PostgresModels


@dataclass(frozen=True, slots=True)
class Pictograph:
    """All that can be done, and the way in over HTTP."""

    editions: Editions
    models: PostgresModels
    http: Starlette

    @property
    def use_cases(self) -> UseCases:
        """What can be done at this moment."""
        return self.editions.current()


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[Library]:
    """Open the database and the files."""
    from infra.postgres import PostgresCatalog, PostgresKeys, PostgresSearches
    from infra.postgres.gaps import PostgresGaps
    from infra.postgres.model_change import PostgresModels
    from infra.sources import FileSources

    async with open_storage(settings) as storage, open_tables(settings) as engine:
        keys, catalog = PostgresKeys(engine), PostgresCatalog(engine)
        yield Library(
            keys=keys,
            issue_key=IssueKey(keys, utc_now),
            sweep=Sweep(catalog, storage, PostgresSearches(engine), utc_now),
            check=CheckLibrary(catalog, storage, FileSources(), PostgresGaps(engine)),
            models=PostgresModels(engine),
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """What is open once in a process, whichever model answers."""

    settings: Settings
    engine: AsyncEngine
    storage: Storage
    imaging: PillowImaging

    @asynccontextmanager
    async def edition(self, model: LiveModel | None, editions: Editions) -> AsyncIterator[Edition]:
        """Load a model and put together what is done by it; None is the one that answers.

        Raises Misconfigured.
        """
        from infra.postgres.models import activate, source_of_active

        if model is None:
            wanted, is_set = self.settings.model, "model" in self.settings.model_fields_set
            source = await source_of_active(self.engine, source_of(wanted), is_set=is_set)
        else:
            source = model.source
        async with open_encoder(self.settings, source) as encoder:
            if model is None:
                active = await activate(self.engine, encoder.model, source=source)
                model = active.live(source)
            if (encoder.model.name, encoder.model.dimensions) != (model.name, model.dimensions):
                raise Misconfigured(
                    f"What is at {source} is {encoder.model.name} now; put {model.name} back."
                )
            yield compose(self, model, encoder, editions)


def compose(shared: Shared, live: LiveModel, encoder: ClipEncoder, editions: Editions) -> Edition:
    """Put together all that can be done by one model."""
    from infra.concepts import ConceptBank, read_concepts
    from infra.numpy_space import NumpySpace
    from infra.pillow import ACCEPTED_CONTENT_TYPES
    from infra.postgres import (
        PostgresCatalog,
        PostgresDuplicates,
        PostgresKeys,
        PostgresSearches,
    )
    from infra.postgres.concepts import PostgresConcepts
    from infra.postgres.models import ActiveModel
    from infra.postgres.work import PostgresWork
    from infra.sources import FileSources

    settings, engine, storage = shared.settings, shared.engine, shared.storage
    pictures = shared.imaging.seeing(encoder.input_side)
    model = ActiveModel(live.id, live.name, live.dimensions)
    catalog = PostgresCatalog(engine, model)
    duplicates = PostgresDuplicates(engine, model)
    searches = PostgresSearches(engine)
    keys = PostgresKeys(engine)
    limit, most_files = settings.max_upload_bytes, settings.max_files_per_request
    bank = ConceptBank(encoder, PostgresConcepts(engine, model), read_concepts())
    space = NumpySpace(catalog, bank, logit_scale=encoder.model.logit_scale)
    search = SearchImages(
        Questions(encoder, pictures, catalog, space, limit),
        JudgeHits(space, encoder.model),
        catalog,
        duplicates,
        searches,
        utc_now,
        editions.search_of,
    )
    upload = UploadImages(encoder, pictures, catalog, storage, utc_now, limit, most_files)
    sources = FileSources()
    read = ReadImage(storage, sources)
    secret = settings.api_key
    use_cases = UseCases(
        authenticate=Authenticate(
            keys, settings.public_reading, secret.get_secret_value() if secret else None
        ),
        issue_key=IssueKey(keys, utc_now),
        describe=Describe(
            encoder, catalog, version("pictograph"), limit, most_files, ACCEPTED_CONTENT_TYPES
        ),
        upload=upload,
        import_=ImportImages(upload),
        search=search,
        similar=SimilarImages(search),
        duplicates=FindDuplicates(duplicates, catalog),
        hash_images=HashImages(pictures, storage, duplicates),
        index=IndexImages(
            encoder,
            pictures,
            storage,
            sources,
            read,
            PostgresWork(engine, model),
            utc_now,
            limit,
        ),
        list=ListImages(catalog),
        facets=CountFacets(catalog),
        label=LabelImages(encoder, catalog),
        get=GetImages(catalog),
        read=read,
        update=UpdateImage(catalog),
        tag=TagImages(catalog),
        untag=UntagImages(catalog),
        delete=DeleteImages(catalog, storage),
        sweep=Sweep(catalog, storage, searches, utc_now),
    )
    return Edition(live, encoder, use_cases, encoder.check, bank.prepare)


@asynccontextmanager
async def open_pictograph(settings: Settings) -> AsyncIterator[Pictograph]:
    """Open everything, with the model that answers; `editions` loads others where they are used."""
    from graph.http import create_app
    from graph.options import HttpOptions
    from infra.postgres import PostgresKeys
    from infra.postgres.engine import check_server
    from infra.postgres.migrate import check_current
    from infra.postgres.model_change import PostgresModels

    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings))
        engine = await stack.enter_async_context(open_tables(settings))
        pictures = await stack.enter_async_context(imaging(settings))
        shared = Shared(settings, engine, storage, pictures)
        models = PostgresModels(engine)
        editions = await stack.enter_async_context(
            Editions.of(models, shared.edition, grace=settings.operation_seconds)
        )
        if settings.listens_beyond_loopback and not await _has_key(settings, PostgresKeys(engine)):
            raise Misconfigured(
                f"A server on {settings.host} can be reached by other machines, and there is no "
                "key: run `pictograph keys create NAME`, or set PICTOGRAPH_API_KEY."
            )
        yield Pictograph(
            editions,
            models,
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


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    beside: Callable[[UseCases], Coroutine[None, None, None]] | None = None,
) -> None:
    """Answer until told to stop. ``ready`` gets the address, and ``beside`` begins."""
    from graph import server

    async with open_pictograph(settings) as pictograph:
        use_cases, editions = pictograph.use_cases, pictograph.editions
        works: list[Callable[[], Coroutine[None, None, None]]] = [
            editions.follow,
            partial(tidy, use_cases.sweep),
            partial(look_for_duplicates, editions.prepared),
            *([partial(keep_all_indexing, editions)] if settings.worker else []),
            *([partial(beside, use_cases)] if beside else []),
        ]
        with server.bind(settings.host, settings.port) as listening:
            await server.serve(
                pictograph.http, listening, log_level=settings.log_level, ready=ready, beside=works
            )


async def work(
    settings: Settings, *, ready: Callable[[UseCases], None], ended: Callable[[int], None]
) -> None:
    """Do what work is written down, until told to stop."""
    async with open_pictograph(settings) as pictograph:
        ready(pictograph.use_cases)
        await asyncio.gather(
            pictograph.editions.follow(), keep_all_indexing(pictograph.editions, ended=ended)
        )


async def migrate(settings: Settings, *, create_bucket: bool) -> None:
    """Bring the tables up to date and, where that is wanted, make a missing bucket."""
    from infra.postgres.migrate import upgrade

    async with open_database(settings) as engine:
        await upgrade(engine)
    if create_bucket:
        async with open_storage(settings, create_bucket=True):
            pass
