"""Wires the use cases of one model over the adapters that all models of a process share."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from domain import Limits, Ports, build_use_cases
from domain.errors import Misconfigured
from domain.runtime.loaded_models import LoadedModel
from domain.use_cases.models.start import ActivateModel, ChooseModel
from pictograph.adapters import absolute_path, claims_for, open_encoder, source_of, staging_for
from pictograph.collection import free_what_was_exempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain import UseCases
    from domain.entities.models import StoredModel
    from domain.ports import Events, Storage
    from domain.runtime.loaded_models import LoadedModels
    from infra.clip.concepts import ConceptBank
    from infra.clip.encoder import ClipEncoder
    from infra.external_files import ExternalLocations
    from infra.pillow.imaging import PillowImaging
    from infra.postgres.models.active import ActiveModel
    from infra.postgres.vectors.scan_tables import ScanTableInUse
    from infra.settings import Settings

# Adapters are imported where they are opened: `pictograph --help` does not wait for torch.
# ruff: noqa: PLC0415

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the current instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Shared:
    """The adapters that are open once in a process, whichever model is in use."""

    settings: Settings
    engine: AsyncEngine
    storage: Storage
    imaging: PillowImaging
    events: Events
    external_files: ExternalLocations
    background: AsyncEngine | None = None
    """The database for work that may take longer than a request; by default ``engine``."""

    @asynccontextmanager
    async def load_model(
        self, model: StoredModel | None, loaded_models: LoadedModels
    ) -> AsyncIterator[LoadedModel]:
        """Load a model and wire its use cases; None is the ACTIVE one. Raises Misconfigured."""
        from infra.postgres.models.changes import PostgresModelChanges
        from infra.postgres.vectors.scan_tables import PostgresScanTables, ScanTableInUse

        activate = ActivateModel(PostgresModelChanges(self.engine), utc_now)
        settings = self.settings
        while True:
            source = model.source if model else await self._source_of_active()
            async with open_encoder(settings, source) as encoder:
                if model is None:
                    try:
                        model = await activate(encoder.model, source)
                    except Misconfigured:
                        # Another model may have been promoted while this one was loaded.
                        if await self._source_of_active() == source:
                            raise
                        continue
                if (encoder.model.name, encoder.model.dimensions) != (model.name, model.dimensions):
                    raise Misconfigured(
                        f"What is at {source} is {encoder.model.name} now; put {model.name} back."
                    )
                bank = self._concept_bank(model, encoder)
                scans = ScanTableInUse()
                refresh_scans = partial(
                    scans.refresh, PostgresScanTables(self.engine, _active(model))
                )
                await refresh_scans()
                if not await _fits_library(bank, encoder, settings):
                    settings = settings.model_copy(update={"engine": "torch"})
                    continue
                try:
                    use_cases = compose(self, model, encoder, bank, scans, loaded_models)
                    yield LoadedModel(
                        model, encoder, use_cases, encoder.check, bank.prepare, refresh_scans
                    )
                finally:
                    free_what_was_exempt()
                return

    def _concept_bank(self, stored: StoredModel, encoder: ClipEncoder) -> ConceptBank:
        from infra.clip.concepts import ConceptBank, read_concepts
        from infra.postgres.models.concepts import PostgresConcepts

        return ConceptBank(encoder, PostgresConcepts(self.engine, _active(stored)), read_concepts())

    async def _source_of_active(self) -> str:
        from infra.clip.quantised_model import is_quantised
        from infra.postgres.models.changes import PostgresModelChanges

        wanted = self.settings.model
        choose = ChooseModel(PostgresModelChanges(self.engine))
        chosen = await choose(
            source_of(wanted),
            # A folder that no longer exists is known by its absolute path, too.
            aliases=[absolute_path(wanted)],
            is_explicit="model" in self.settings.model_fields_set,
        )
        if self.settings.dtype == "int8" and not is_quantised(chosen):
            raise Misconfigured(
                f"The model {chosen} is not quantised, as PICTOGRAPH_DTYPE=int8 demands; set it to "
                f"auto, run `pictograph models add {chosen} --dtype int8` once the library has "
                "pictures, and promote the new model."
            )
        return chosen


async def _fits_library(bank: ConceptBank, encoder: ClipEncoder, settings: Settings) -> bool:
    """Return False where torch has to run the model instead. Raises Misconfigured.

    torch is never refused: there is no other engine to change to, and the model itself may have
    changed on the hub.
    """
    mismatch = await bank.mismatch()
    if mismatch is None:
        return True
    if encoder.engine.name == "torch":
        logger.warning("%s; consider another model, with `pictograph models add`", mismatch)
        return True
    if settings.engine == "openvino":
        raise Misconfigured(f"{mismatch}; set PICTOGRAPH_ENGINE to auto or to torch.")
    logger.warning("%s with OpenVINO, so torch runs it", mismatch)
    return False


def _active(stored: StoredModel) -> ActiveModel:
    from infra.postgres.models.active import ActiveModel

    return ActiveModel(stored.id, stored.name, stored.dimensions)


def compose(  # noqa: PLR0913, PLR0917 - the parts that each model has of its own
    shared: Shared,
    stored: StoredModel,
    encoder: ClipEncoder,
    bank: ConceptBank,
    scans: ScanTableInUse,
    loaded_models: LoadedModels,
) -> UseCases:
    """Wire all use cases over the adapters of one model."""
    from infra.clip.embedding_space import NumpyEmbeddingSpace
    from infra.filesystem.staging import FolderStaging
    from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES
    from infra.postgres.catalog.catalog import PostgresCatalog
    from infra.postgres.catalog.ingestion import PostgresIngestion
    from infra.postgres.catalog.places import PostgresPlaces
    from infra.postgres.catalog.renditions import PostgresRenditions
    from infra.postgres.catalog.trash import PostgresTrash
    from infra.postgres.duplicates.duplicates import PostgresDuplicates
    from infra.postgres.identity import PostgresIdentity
    from infra.postgres.keys import PostgresKeys
    from infra.postgres.models.models import PostgresModels
    from infra.postgres.searches import PostgresKeptSearches
    from infra.postgres.targets import PostgresUploadTargets
    from infra.postgres.vectors.index import PostgresVectorIndex
    from infra.postgres.vectors.scan_tables import PostgresScanTables
    from infra.postgres.vectors.trials import PostgresQuerySamples, PostgresScanTrials
    from infra.postgres.work.external_objects import PostgresExternalObjects
    from infra.postgres.work.missing_objects import PostgresMissingObjects
    from infra.postgres.work.work import PostgresWorkQueue

    settings, engine, storage = shared.settings, shared.engine, shared.storage
    model = _active(stored)
    catalog = PostgresCatalog(engine)
    vectors = PostgresVectorIndex(engine, model, scans)
    staging = staging_for(storage, settings)
    return build_use_cases(
        Ports(
            catalog=catalog,
            claims=claims_for(storage, settings),
            clock=utc_now,
            duplicates=PostgresDuplicates(engine, model, shared.background),
            embedding_space=NumpyEmbeddingSpace(vectors, bank, model=encoder.model),
            encoder=encoder,
            events=shared.events,
            external_files=shared.external_files,
            external_objects=PostgresExternalObjects(engine, model),
            identity=PostgresIdentity(engine),
            imaging=shared.imaging.for_encoder(
                encoder.input_side, takes_centre_crop=encoder.takes_centre_crop
            ),
            ingestion=PostgresIngestion(engine, model),
            keys=PostgresKeys(engine),
            known_models=PostgresModels(engine),
            missing_objects=PostgresMissingObjects(engine),
            local_staging=staging if isinstance(staging, FolderStaging) else None,
            object_listing=shared.external_files,
            places=PostgresPlaces(engine),
            query_samples=PostgresQuerySamples(engine, model, bank),
            ready_feed=catalog,
            renditions=PostgresRenditions(engine),
            scan_tables=PostgresScanTables(engine, model),
            scan_trials=PostgresScanTrials(engine, model),
            searches=PostgresKeptSearches(engine),
            staging=staging,
            storage=storage,
            trash=PostgresTrash(engine),
            upload_targets=PostgresUploadTargets(engine),
            vectors=vectors,
            work_queue=PostgresWorkQueue(engine, model),
        ),
        Limits(
            version=version("pictograph"),
            max_upload_bytes=settings.max_upload_bytes,
            max_files_per_request=settings.max_files_per_request,
            accepted_content_types=ACCEPTED_CONTENT_TYPES,
            public_reading=settings.public_reading,
            missing_grace_period=timedelta(days=settings.import_grace_days),
            configured_key=settings.api_key.get_secret_value() if settings.api_key else None,
            trash_lifetime=settings.trash_lifetime,
        ),
        search_of=loaded_models.search_of,
    )
