"""What Pictograph does, in plain Python: the use cases, and the one place that wires them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.concurrency import Priority
from domain.entities.external_objects import MISSING_GRACE_PERIOD
from domain.entities.faults import DEFAULT_SCRUB_LIFETIME
from domain.entities.trash import DEFAULT_TRASH_LIFETIME
from domain.use_cases.access import Authenticate, IssueKey, ListKeys, RevokeKey
from domain.use_cases.duplicates.find_duplicates import FindDuplicates
from domain.use_cases.duplicates.hash_images import HashImages
from domain.use_cases.imports.estimate import EstimateImport
from domain.use_cases.imports.forget_missing import ForgetMissing
from domain.use_cases.imports.import_copies import ImportCopies
from domain.use_cases.imports.index_found import IndexFound
from domain.use_cases.imports.reconcile import ReconcileObjects
from domain.use_cases.imports.reconcile_manifest import ReconcileManifest
from domain.use_cases.indexing import IndexImages
from domain.use_cases.library.browse import GetImages, ListImages
from domain.use_cases.library.describe import DescribeServer
from domain.use_cases.library.edit import (
    DeleteImages,
    RestoreImages,
    TagImages,
    UntagImages,
    UpdateImage,
)
from domain.use_cases.library.facets import CountFacets
from domain.use_cases.library.label import LabelImages
from domain.use_cases.library.places import ClusterPlaces
from domain.use_cases.library.read import ReadImage
from domain.use_cases.library.render_imported import RenderImported
from domain.use_cases.library.render_large import RenderLarge
from domain.use_cases.library.watch_status import WatchStatus
from domain.use_cases.maintenance.check import CheckLibrary
from domain.use_cases.maintenance.claim_storage import ClaimStorage
from domain.use_cases.maintenance.empty_trash import EmptyTrash
from domain.use_cases.maintenance.restore_tasks import RestoreTasks
from domain.use_cases.maintenance.scrub import CheckOriginal, Scrub
from domain.use_cases.maintenance.sweep import Sweep
from domain.use_cases.maintenance.sweep_targets import SweepTargets
from domain.use_cases.models.add import AddModel
from domain.use_cases.models.build_index import BuildDueIndexes, BuildIndex, DeferIndex
from domain.use_cases.models.drop import DropModel
from domain.use_cases.models.find import FindModel
from domain.use_cases.models.finish_backfill import FinishBackfill
from domain.use_cases.models.list_statuses import ListModelStatuses
from domain.use_cases.models.promote import PromoteModel, RollBackModel
from domain.use_cases.models.sample_pictures import SamplePictures
from domain.use_cases.search.keep_searches import KeepSearches
from domain.use_cases.search.query_encoder import QueryEncoder
from domain.use_cases.search.relevance_scorer import RelevanceScorer
from domain.use_cases.search.search_images import SearchImages, no_other_model
from domain.use_cases.search.similar import SimilarImages
from domain.use_cases.search.tune import TuneScans
from domain.use_cases.search.watch_matches import WatchMatches
from domain.use_cases.uploads.complete_uploads import CompleteUploads
from domain.use_cases.uploads.create_targets import CreateUploadTargets
from domain.use_cases.uploads.receive_upload import ReceiveUpload
from domain.use_cases.uploads.upload import UploadImages

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from domain import ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The adapters that the use cases of one model stand on."""

    catalog: ports.Catalog
    claims: ports.StorageClaims
    clock: ports.Clock
    duplicates: ports.Duplicates
    embedding_space: ports.EmbeddingSpace
    encoder: ports.Encoder
    events: ports.Events
    external_files: ports.ExternalFiles
    external_objects: ports.ExternalObjects
    identity: ports.LibraryIdentity
    imaging: ports.Imaging
    ingestion: ports.Ingestion
    keys: ports.Keys
    known_models: ports.KnownModels
    missing_objects: ports.MissingObjects
    local_staging: ports.LocalStaging | None
    """None where clients send files past this server, straight to a bucket."""
    object_listing: ports.ObjectListing
    places: ports.Places
    query_samples: ports.QuerySamples
    ready_feed: ports.ReadyFeed
    renditions: ports.Renditions
    scan_tables: ports.ScanTables
    scan_trials: ports.ScanTrials
    searches: ports.KeptSearches
    staging: ports.Staging
    storage: ports.Storage
    trash: ports.Trash
    upload_targets: ports.UploadTargets
    vectors: ports.VectorIndex
    work_queue: ports.WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server accepts, and from whom."""

    version: str
    max_upload_bytes: int
    max_files_per_request: int
    accepted_content_types: tuple[str, ...]
    public_reading: bool = True
    configured_key: str | None = None
    """A key with every scope, beside those in the database."""
    missing_grace_period: timedelta = MISSING_GRACE_PERIOD
    """How long an image stays in the trash after its last file went missing."""
    trash_lifetime: timedelta = DEFAULT_TRASH_LIFETIME
    """How long deleted images can be restored; zero: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Everything that can be done with the library by one model."""

    authenticate: Authenticate
    issue_key: IssueKey
    describe: DescribeServer
    upload: UploadImages
    import_copies: ImportCopies
    search: SearchImages
    similar: SimilarImages
    tune: TuneScans
    duplicates: FindDuplicates
    hash_images: HashImages
    index: IndexImages
    reconcile: ReconcileObjects
    reconcile_manifest: ReconcileManifest
    estimate: EstimateImport
    index_found: IndexFound
    forget_missing: ForgetMissing
    list: ListImages
    facets: CountFacets
    places: ClusterPlaces
    label: LabelImages
    get: GetImages
    read: ReadImage
    render_imported: RenderImported
    update: UpdateImage
    tag: TagImages
    untag: UntagImages
    delete: DeleteImages
    restore: RestoreImages
    empty_trash: EmptyTrash
    sweep: Sweep
    create_upload_targets: CreateUploadTargets
    complete_uploads: CompleteUploads
    receive_upload: ReceiveUpload | None
    """None where clients send files past this server."""
    sweep_targets: SweepTargets
    watch_status: WatchStatus
    watch_matches: WatchMatches


def build_use_cases(
    on: Ports,
    limits: Limits,
    *,
    search_of: Callable[[str], SearchImages | None] = no_other_model,
) -> UseCases:
    """Wire all use cases over adapters. The product and the tests call this one function.

    ``search_of`` returns the search of another loaded model by the model's name.
    """
    max_bytes = limits.max_upload_bytes
    searches = KeepSearches(on.searches)
    imaging = {priority: on.imaging.with_priority(priority) for priority in Priority}
    search = SearchImages(
        QueryEncoder(
            on.encoder, imaging[Priority.EXAMPLE], on.vectors, on.embedding_space, max_bytes
        ),
        RelevanceScorer(on.embedding_space, on.encoder.model),
        on.catalog,
        on.vectors,
        on.duplicates,
        searches,
        on.clock,
        search_of,
    )
    upload = UploadImages(
        on.encoder,
        imaging[Priority.UPLOAD],
        on.catalog,
        on.trash,
        on.ingestion,
        on.storage,
        on.clock,
        max_bytes,
        limits.max_files_per_request,
    )
    render_large = RenderLarge(
        imaging[Priority.EXAMPLE], on.catalog, on.storage, on.external_files, on.renditions
    )
    read = ReadImage(on.storage, on.external_files, render_large)
    index = IndexImages(
        on.encoder,
        imaging[Priority.BACKGROUND],
        on.storage,
        on.external_files,
        read,
        on.work_queue,
        on.clock,
        max_bytes,
    )
    claim_storage = ClaimStorage(on.identity, on.claims, on.catalog, on.storage, on.clock)
    return UseCases(
        authenticate=Authenticate(on.keys, limits.public_reading, limits.configured_key),
        issue_key=IssueKey(on.keys, on.clock),
        describe=DescribeServer(
            on.encoder,
            on.known_models,
            limits.version,
            max_bytes,
            limits.max_files_per_request,
            limits.accepted_content_types,
            limits.trash_lifetime,
        ),
        upload=upload,
        import_copies=ImportCopies(replace(upload, imaging=imaging[Priority.BACKGROUND])),
        search=search,
        similar=SimilarImages(search),
        tune=TuneScans(
            on.vectors,
            on.embedding_space,
            on.query_samples,
            on.scan_trials,
            on.scan_tables,
            on.clock,
        ),
        duplicates=FindDuplicates(on.duplicates, on.catalog),
        hash_images=HashImages(imaging[Priority.BACKGROUND], read, on.duplicates),
        index=index,
        reconcile=ReconcileObjects(on.object_listing, on.external_objects),
        reconcile_manifest=ReconcileManifest(on.object_listing, on.external_objects),
        estimate=EstimateImport(
            on.encoder, imaging[Priority.BACKGROUND], on.external_files, max_bytes
        ),
        index_found=IndexFound(index, on.external_objects),
        forget_missing=ForgetMissing(
            on.missing_objects, on.storage, on.clock, limits.missing_grace_period
        ),
        list=ListImages(on.catalog),
        facets=CountFacets(on.catalog),
        places=ClusterPlaces(on.places),
        label=LabelImages(on.encoder, on.vectors),
        get=GetImages(on.catalog),
        read=read,
        render_imported=RenderImported(
            replace(render_large, imaging=imaging[Priority.BACKGROUND]),
            on.catalog,
            on.renditions,
            on.work_queue,
        ),
        update=UpdateImage(on.catalog),
        tag=TagImages(on.catalog),
        untag=UntagImages(on.catalog),
        delete=DeleteImages(on.catalog, on.trash, on.storage, on.clock, limits.trash_lifetime),
        restore=RestoreImages(on.trash),
        empty_trash=EmptyTrash(on.trash, on.storage, on.clock, limits.trash_lifetime),
        sweep=Sweep(on.catalog, on.storage, claim_storage, searches, on.clock),
        create_upload_targets=CreateUploadTargets(
            on.catalog,
            on.trash,
            on.upload_targets,
            on.staging,
            on.clock,
            max_bytes,
            limits.accepted_content_types,
        ),
        complete_uploads=CompleteUploads(
            imaging[Priority.UPLOAD],
            on.catalog,
            on.trash,
            on.ingestion,
            on.storage,
            on.upload_targets,
            on.staging,
            on.clock,
        ),
        receive_upload=ReceiveUpload(on.local_staging, on.clock) if on.local_staging else None,
        sweep_targets=SweepTargets(on.upload_targets, on.staging, on.clock),
        watch_status=WatchStatus(on.catalog, on.events),
        watch_matches=WatchMatches(search, on.ready_feed, on.known_models, on.events, on.clock),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPorts:
    """The adapters of the use cases that need no model."""

    catalog: ports.Catalog
    claims: ports.StorageClaims
    clock: ports.Clock
    external_files: ports.ExternalFiles
    identity: ports.LibraryIdentity
    keys: ports.Keys
    model_changes: ports.ModelChanges
    models: ports.Models
    repair_queue: ports.RepairQueue
    scrubs: ports.Scrubs
    searches: ports.KeptSearches
    staging: ports.Staging
    storage: ports.Storage
    trash: ports.Trash
    upload_targets: ports.UploadTargets


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUseCases:
    """Everything that changes the models of the library, or shows their progress."""

    add: AddModel
    build_due_indexes: BuildDueIndexes
    build_index: BuildIndex
    defer_index: DeferIndex
    find: FindModel
    finish_backfill: FinishBackfill
    list_statuses: ListModelStatuses
    promote: PromoteModel
    roll_back: RollBackModel
    drop: DropModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryUseCases:
    """Everything that can be done with the library without a model in memory."""

    issue_key: IssueKey
    list_keys: ListKeys
    revoke_key: RevokeKey
    get: GetImages
    check: CheckLibrary
    restore_tasks: RestoreTasks
    claim_storage: ClaimStorage
    empty_trash: EmptyTrash
    scrub: Scrub
    sweep: Sweep
    sweep_targets: SweepTargets
    models: ModelUseCases
    sample_pictures: SamplePictures


def build_library_use_cases(
    on: LibraryPorts,
    *,
    trash_lifetime: timedelta = DEFAULT_TRASH_LIFETIME,
    scrub_lifetime: timedelta = DEFAULT_SCRUB_LIFETIME,
) -> LibraryUseCases:
    """Wire the use cases that need no model over adapters. The product and the tests call this."""
    claim_storage = ClaimStorage(on.identity, on.claims, on.catalog, on.storage, on.clock)
    check_original = CheckOriginal(on.storage, on.external_files, on.scrubs, on.clock)
    return LibraryUseCases(
        issue_key=IssueKey(on.keys, on.clock),
        list_keys=ListKeys(on.keys),
        revoke_key=RevokeKey(on.keys, on.clock),
        get=GetImages(on.catalog),
        restore_tasks=RestoreTasks(on.repair_queue),
        check=CheckLibrary(
            on.catalog,
            on.storage,
            claim_storage,
            check_original,
            on.scrubs,
            on.repair_queue,
            on.clock,
            scrub_lifetime,
        ),
        scrub=Scrub(on.scrubs, check_original, on.clock, scrub_lifetime),
        claim_storage=claim_storage,
        empty_trash=EmptyTrash(on.trash, on.storage, on.clock, trash_lifetime),
        sweep=Sweep(on.catalog, on.storage, claim_storage, on.searches, on.clock),
        sweep_targets=SweepTargets(on.upload_targets, on.staging, on.clock),
        models=build_model_use_cases(on.models, on.model_changes, on.clock),
        sample_pictures=SamplePictures(on.catalog, on.storage, on.external_files),
    )


def build_model_use_cases(
    models: ports.Models, changes: ports.ModelChanges, clock: ports.Clock
) -> ModelUseCases:
    """Wire the use cases that change the models of the library."""
    return ModelUseCases(
        add=AddModel(changes),
        build_due_indexes=BuildDueIndexes(models, changes),
        build_index=BuildIndex(changes),
        defer_index=DeferIndex(changes),
        find=FindModel(models),
        finish_backfill=FinishBackfill(models, changes, clock),
        list_statuses=ListModelStatuses(models),
        promote=PromoteModel(models, changes, clock),
        roll_back=RollBackModel(models, changes, clock),
        drop=DropModel(changes),
    )
