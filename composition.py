"""What is done by one model, put together over what all models share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from domain import UseCases
from domain.access import Authenticate, IssueKey
from domain.complete_uploads import CompleteUploads
from domain.create_upload_targets import CreateUploadTargets
from domain.delete import DeleteImages
from domain.duplicates import FindDuplicates
from domain.editions import Edition
from domain.errors import Misconfigured
from domain.estimate import EstimateImport
from domain.facets import CountFacets
from domain.get import GetImages
from domain.hash_images import HashImages
from domain.import_images import ImportImages
from domain.index import IndexImages
from domain.index_found import LEASE_SECONDS, IndexFound
from domain.judge import JudgeHits
from domain.label import LabelImages
from domain.list import ListImages
from domain.manifest import ReconcileManifest
from domain.questions import Questions
from domain.read import ReadImage
from domain.receive_upload import ReceiveUpload
from domain.reconcile import ReconcileObjects
from domain.search import SearchImages
from domain.service import Describe
from domain.similar import SimilarImages
from domain.sweep import Sweep
from domain.sweep_targets import SweepTargets
from domain.tag import TagImages, UntagImages
from domain.update import UpdateImage
from domain.upload import UploadImages
from domain.watch_matches import WatchMatches
from domain.watch_status import WatchStatus
from infra.opening import open_encoder, source_of, staging_beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.editions import Editions
    from domain.models import LiveModel
    from domain.ports import Events, Storage
    from infra.clip import ClipEncoder
    from infra.pillow import PillowImaging
    from infra.settings import Settings
    from infra.sources import Outside

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415


def utc_now() -> datetime:
    """Return the current instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Shared:
    """What is open once in a process, whichever model answers."""

    settings: Settings
    engine: AsyncEngine
    storage: Storage
    imaging: PillowImaging
    events: Events
    outside: Outside

    @asynccontextmanager
    async def edition(self, model: LiveModel | None, editions: Editions) -> AsyncIterator[Edition]:
        """Load a model and put together what is done by it; None is the one that answers.

        Raises Misconfigured.
        """
        from infra.postgres.models import activate

        while True:
            source = model.source if model else await self._source_of_active()
            async with open_encoder(self.settings, source) as encoder:
                if model is None:
                    try:
                        active = await activate(self.engine, encoder.model, source=source)
                    except Misconfigured:
                        # Another may have been promoted while this one was loaded.
                        if await self._source_of_active() == source:
                            raise
                        continue
                    model = active.live(source)
                if (encoder.model.name, encoder.model.dimensions) != (model.name, model.dimensions):
                    raise Misconfigured(
                        f"What is at {source} is {encoder.model.name} now; put {model.name} back."
                    )
                yield compose(self, model, encoder, editions)
                return

    async def _source_of_active(self) -> str:
        from infra.postgres.models import source_of_active

        wanted, is_set = self.settings.model, "model" in self.settings.model_fields_set
        return await source_of_active(self.engine, source_of(wanted), is_set=is_set)


def compose(shared: Shared, live: LiveModel, encoder: ClipEncoder, editions: Editions) -> Edition:
    """Put together all that can be done by one model."""
    from infra.concepts import ConceptBank, read_concepts
    from infra.folder_staging import FolderStaging
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
    from infra.postgres.models import ActiveModel
    from infra.postgres.targets import PostgresTargets
    from infra.postgres.work import PostgresWork

    settings, engine, storage = shared.settings, shared.engine, shared.storage
    pictures = shared.imaging.seeing(encoder.input_side)
    model = ActiveModel(live.id, live.name, live.dimensions)
    catalog = PostgresCatalog(engine, model)
    duplicates = PostgresDuplicates(engine, model)
    searches = PostgresSearches(engine)
    keys = PostgresKeys(engine)
    limit, most_files = settings.max_upload_bytes, settings.max_files_per_request
    bank = ConceptBank(encoder, PostgresConcepts(engine, model), read_concepts())
    space = NumpySpace(catalog, bank, model=encoder.model)
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
    sources, objects = shared.outside, PostgresObjects(engine, model)
    read = ReadImage(storage, sources)
    index = IndexImages(
        encoder, pictures, storage, sources, read, PostgresWork(engine, model), utc_now, limit
    )
    staging, targets = staging_beside(storage, settings), PostgresTargets(engine)
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
        create_upload_targets=CreateUploadTargets(
            catalog, targets, staging, utc_now, limit, ACCEPTED_CONTENT_TYPES
        ),
        complete_uploads=CompleteUploads(pictures, catalog, storage, targets, staging, utc_now),
        receive_upload=ReceiveUpload(staging, utc_now)
        if isinstance(staging, FolderStaging)
        else None,
        sweep_targets=SweepTargets(targets, staging, utc_now),
        watch_status=WatchStatus(catalog, shared.events),
        watch_matches=WatchMatches(search, shared.events, utc_now),
    )
    return Edition(live, encoder, use_cases, encoder.check, bank.prepare)
