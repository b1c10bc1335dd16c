"""Opens the adapters that the settings select."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.ports import Storage
    from infra.clip.converted_model import ModelCache
    from infra.clip.encoder import ClipEncoder
    from infra.external_files import ExternalLocations
    from infra.filesystem.claims import FolderClaims
    from infra.filesystem.staging import FolderStaging
    from infra.pillow.imaging import PillowImaging
    from infra.s3.claims import S3Claims
    from infra.s3.external import ExternalBuckets
    from infra.s3.staging import S3Staging
    from infra.s3.storage import S3Storage
    from infra.settings import Settings

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415

RESERVED_SHARE = 4
"""One of so many connections for requests is reserved for callers with a key and for the worker."""

HEALTH_CONNECTIONS = 3
"""One for each readiness check of the database."""

HEALTH_SECONDS = 4.0
"""The time limit of a readiness check's statement."""

S3_ATTEMPTS_IN_DEADLINE = 3
"""How many attempts without a response fit into the time limit of a call to the store."""


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connect to the configured database, or start an embedded one. It may lack migrations."""
    from infra.embedded_postgres.server import embedded_postgres
    from infra.postgres.engine import open_engine
    from infra.postgres.url import parse_url

    async with AsyncExitStack() as stack:
        url: str | URL
        if settings.database_url:
            url = parse_url(settings.database_url.get_secret_value())
            if settings.database_password:
                url = url.set(password=settings.database_password.get_secret_value())
        else:
            folder = settings.data_dir.absolute() / "postgres"
            url = await stack.enter_async_context(embedded_postgres(folder))
        yield await stack.enter_async_context(
            open_engine(url, pool_size=settings.database_pool_size)
        )


@asynccontextmanager
async def open_engine_for_requests(
    settings: Settings, engine: AsyncEngine
) -> AsyncIterator[AsyncEngine]:
    """Connect to the database of ``engine`` with the time limits of requests."""
    from infra.postgres.engine import RequestLimits, open_engine

    limits = RequestLimits(
        settings.database_wait_seconds,
        settings.database_statement_seconds,
        reserved_connections=-(-settings.database_pool_size // RESERVED_SHARE)
        if settings.database_pool_size > 1
        else 0,
    )
    async with open_engine(engine.url, pool_size=settings.database_pool_size, limits=limits) as own:
        yield own


@asynccontextmanager
async def open_engine_for_health(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Connect to the database of ``engine`` for readiness checks, which share no other pool."""
    from infra.postgres.engine import RequestLimits, open_engine

    limits = RequestLimits(HEALTH_SECONDS, HEALTH_SECONDS)
    async with open_engine(engine.url, pool_size=HEALTH_CONNECTIONS, limits=limits) as own:
        yield own


@asynccontextmanager
async def open_tables(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connect to a database that has all migrations. Raises Misconfigured if it lacks one.

    Only an embedded database is migrated here: others are migrated by `pictograph migrate`.
    """
    from infra.postgres.revision import check_current, is_current

    async with open_database(settings) as engine:
        if settings.database_url is None and not await is_current(engine):
            from infra.postgres.migrate import upgrade

            await upgrade(engine)
        await check_current(engine)
        yield engine


@asynccontextmanager
async def open_storage(
    settings: Settings, *, create_bucket: bool = False
) -> AsyncIterator[Storage]:
    """Open the configured bucket, or a folder."""
    if settings.s3_bucket is None:
        from infra.filesystem.storage import FolderStorage

        yield FolderStorage(files_folder(settings))
        return
    from infra.s3.storage import S3Storage

    secret = settings.s3_secret_access_key
    async with S3Storage.connect(
        settings.s3_bucket,
        endpoint_url=str(settings.s3_endpoint_url) if settings.s3_endpoint_url else None,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        prefix=settings.s3_prefix,
        create=create_bucket,
        deadline_seconds=settings.s3_call_seconds,
        read_timeout_seconds=settings.s3_call_seconds / S3_ATTEMPTS_IN_DEADLINE,
    ) as storage:
        yield storage


def staging_for(storage: Storage, settings: Settings) -> S3Staging | FolderStaging:
    """Return the staging area of direct uploads, which is in the same bucket, or a folder."""
    if settings.s3_bucket is None:
        from infra.filesystem.staging import FolderStaging

        return FolderStaging(settings.data_dir.absolute() / "uploads")
    from infra.s3.staging import S3Staging

    public = settings.s3_public_endpoint_url
    return S3Staging(cast("S3Storage", storage), str(public) if public else None)


def claims_for(storage: Storage, settings: Settings) -> S3Claims | FolderClaims:
    """Return the marker in the storage."""
    if settings.s3_bucket is None:
        from infra.filesystem.claims import FolderClaims

        return FolderClaims(files_folder(settings))
    from infra.s3.claims import S3Claims

    return S3Claims(cast("S3Storage", storage))


def files_folder(settings: Settings) -> Path:
    """Return the folder of files where no bucket is configured."""
    return settings.data_dir.absolute() / "files"


@asynccontextmanager
async def open_external_files(settings: Settings) -> AsyncIterator[ExternalLocations]:
    """Open folders and buckets to import from. The library's own storage is refused."""
    from infra.data_folder import LIBRARY_FOLDERS
    from infra.external_files import ExternalLocations
    from infra.filesystem.external import ExternalFolders
    from infra.locations import S3_SCHEME, location_of

    data_dir = settings.data_dir.resolve()
    files = tuple(f"{location_of(data_dir / name)}/" for name in LIBRARY_FOLDERS)
    prefix = settings.s3_prefix.strip("/")
    bucket = f"{S3_SCHEME}{settings.s3_bucket}/"
    objects = f"{bucket}{prefix}/" if prefix else bucket
    own_objects = (objects,) if settings.s3_bucket else ()
    async with AsyncExitStack() as stack:

        @cache
        def buckets() -> ExternalBuckets:
            opened = _external_buckets(settings, own_objects)
            stack.push_async_exit(opened)
            return opened

        yield ExternalLocations(ExternalFolders(files), buckets)


def _external_buckets(settings: Settings, own_objects: tuple[str, ...]) -> ExternalBuckets:
    # The libraries of S3 take half a second to import, and most libraries need none.
    from infra.s3.client import S3Client
    from infra.s3.external import ExternalBuckets

    secret = settings.s3_secret_access_key
    connect = partial(
        S3Client.connect,
        endpoint_url=str(settings.s3_endpoint_url) if settings.s3_endpoint_url else None,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        deadline_seconds=settings.s3_call_seconds,
        read_timeout_seconds=settings.s3_call_seconds / S3_ATTEMPTS_IN_DEADLINE,
    )
    return ExternalBuckets(connect, own_objects)


@asynccontextmanager
async def open_encoder(settings: Settings, name: str | None = None) -> AsyncIterator[ClipEncoder]:
    """Load the configured model, or the one that is named. Raises Misconfigured."""
    from infra.clip.encoder import ClipEncoder
    from infra.clip.engines import EngineOptions

    options = EngineOptions(
        settings.engine,
        device=settings.device,
        # The name of a quantised model says that it is one. Others of the library are not.
        dtype="auto" if settings.dtype == "int8" else settings.dtype,
        threads=settings.torch_threads,
        cache=model_cache(settings),
    )
    async with ClipEncoder.open(
        name or settings.model, options, capacity=settings.encoder_queue
    ) as encoder:
        yield encoder


def model_cache(settings: Settings) -> ModelCache:
    """Return the cache of converted models."""
    from infra.clip.converted_model import ModelCache

    return ModelCache(model_cache_folders(settings))


def model_cache_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders of converted models: the user's cache, else one of the library."""
    own = settings.data_dir.absolute() / "models"
    if settings.model_cache:
        return (settings.model_cache.expanduser().absolute(), own)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    # A user without a home directory has no cache.
    with suppress(RuntimeError):
        return (Path(cache).expanduser().absolute() / "pictograph", own)
    return (own,)


def source_of(name: str) -> str:
    """Return the absolute path of a model's folder, or the name of a model on the hub."""
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.is_dir() else name


def absolute_path(name: str) -> str:
    """Return the absolute path of a folder, which need not exist."""
    return str(Path(name).expanduser().absolute())


def imaging(settings: Settings) -> PillowImaging:
    """Return the picture decoder. Entering it starts its processes."""
    from infra.pillow.imaging import PillowImaging

    return PillowImaging(
        workers=settings.decode_workers,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        default_zone=settings.timezone,
        with_descriptions=settings.embedded_descriptions,
        decode_seconds=settings.decode_seconds,
        decode_memory_bytes=settings.decode_memory_bytes,
    )
