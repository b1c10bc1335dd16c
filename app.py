"""The composition root: the only file that knows every adapter."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.delete import DeleteImages
from domain.duplicates import FindDuplicates
from domain.errors import Misconfigured
from domain.estimate import EstimateImport
from domain.facets import CountFacets
from domain.get import GetImages
from domain.hash_images import HashImages, look_for_duplicates
from domain.import_images import ImportImages
from domain.index import IndexImages
from domain.index_found import LEASE_SECONDS, IndexFound
from domain.judge import JudgeHits
from domain.label import LabelImages
from domain.list import ListImages
from domain.manifest import ReconcileManifest
from domain.questions import Questions
from domain.read import ReadImage
from domain.reconcile import ReconcileObjects
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep, tidy
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from domain.worker import keep_indexing
from infra.opening import (
    imaging,
    open_database,
    open_encoder,
    open_outside,
    open_storage,
    open_tables,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.applications import Starlette

    from domain.ports import Keys
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


@dataclass(frozen=True, slots=True)
class Pictograph:
    """All that can be done, and the way in over HTTP."""

    use_cases: UseCases
    http: Starlette
    prepare: Callable[[], Coroutine[None, None, None]]
    """Does ahead what the first search would have to wait for."""


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[Library]:
    """Open the database and the files."""
    from infra.postgres import PostgresCatalog, PostgresKeys, PostgresSearches

    async with open_storage(settings) as storage, open_tables(settings) as engine:
        keys = PostgresKeys(engine)
        yield Library(
            keys=keys,
            issue_key=IssueKey(keys, utc_now),
            sweep=Sweep(PostgresCatalog(engine), storage, PostgresSearches(engine), utc_now),
        )


@asynccontextmanager
async def open_pictograph(settings: Settings) -> AsyncIterator[Pictograph]:
    """Open everything, the model first: a name that cannot be loaded says so at once."""
    from graph.http import create_app
    from graph.options import HttpOptions
    from infra.concepts import ConceptBank, read_concepts
    from infra.numpy_space import NumpySpace
    from infra.pillow import ACCEPTED_CONTENT_TYPES
    from infra.postgres import (
        PostgresCatalog,
        PostgresDuplicates,
        PostgresKeys,
        PostgresObjects,
        PostgresSearches,
    )
    from infra.postgres.concepts import PostgresConcepts
    from infra.postgres.engine import check_server
    from infra.postgres.migrate import check_current
    from infra.postgres.models import activate
    from infra.postgres.work import PostgresWork

    async with AsyncExitStack() as stack:
        encoder = await stack.enter_async_context(open_encoder(settings))
        storage = await stack.enter_async_context(open_storage(settings))
        engine = await stack.enter_async_context(open_tables(settings))
        pictures = await stack.enter_async_context(
            imaging(settings, encoder_side=encoder.input_side)
        )
        model = await activate(engine, encoder.model)
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
        )
        upload = UploadImages(encoder, pictures, catalog, storage, utc_now, limit, most_files)
        sources = await stack.enter_async_context(open_outside(settings))
        objects = PostgresObjects(engine)
        read = ReadImage(storage, sources)
        index = IndexImages(
            encoder,
            pictures,
            storage,
            sources,
            read,
            PostgresWork(engine, model),
            utc_now,
            limit,
        )
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
            index=index,
            reconcile=ReconcileObjects(sources, objects, storage),
            reconcile_manifest=ReconcileManifest(sources, objects, storage),
            estimate=EstimateImport(encoder, pictures, sources, limit),
            index_found=IndexFound(replace(index, lease_seconds=LEASE_SECONDS), objects),
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
        if settings.listens_beyond_loopback and not await _has_key(settings, keys):
            raise Misconfigured(
                f"A server on {settings.host} can be reached by other machines, and there is no "
                "key: run `pictograph keys create NAME`, or set PICTOGRAPH_API_KEY."
            )
        yield Pictograph(
            use_cases,
            create_app(
                use_cases,
                HttpOptions(
                    public_url=str(settings.public_url) if settings.public_url else None,
                    cors_origins=settings.cors_origins,
                    max_request_bytes=settings.max_request_bytes,
                    operation_seconds=settings.operation_seconds,
                ),
                ready={
                    "model": encoder.check,
                    "database": lambda: check_server(engine),
                    "migrations": lambda: check_current(engine),
                },
            ),
            bank.prepare,
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
        use_cases = pictograph.use_cases
        works: list[Callable[[], Coroutine[None, None, None]]] = [
            pictograph.prepare,
            partial(tidy, use_cases.sweep),
            partial(look_for_duplicates, use_cases.hash_images, use_cases.duplicates),
            *([partial(keep_indexing, use_cases.index)] if settings.worker else []),
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
        await keep_indexing(pictograph.use_cases.index, ended=ended)


async def migrate(settings: Settings, *, create_bucket: bool) -> None:
    """Bring the tables up to date and, where that is wanted, make a missing bucket."""
    from infra.postgres.migrate import upgrade

    async with open_database(settings) as engine:
        await upgrade(engine)
    if create_bucket:
        async with open_storage(settings, create_bucket=True):
            pass
