"""What Pictograph does, in plain Python: the one door that everything knocks on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.access import Authenticate, IssueKey
    from domain.complete_uploads import CompleteUploads
    from domain.create_upload_targets import CreateUploadTargets
    from domain.delete import DeleteImages
    from domain.duplicates import FindDuplicates
    from domain.estimate import EstimateImport
    from domain.facets import CountFacets
    from domain.get import GetImages
    from domain.hash_images import HashImages
    from domain.import_images import ImportImages
    from domain.index import IndexImages
    from domain.index_found import IndexFound
    from domain.label import LabelImages
    from domain.list import ListImages
    from domain.manifest import ReconcileManifest
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


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that can be done with the library."""

    authenticate: Authenticate
    issue_key: IssueKey
    describe: Describe
    upload: UploadImages
    import_: ImportImages
    search: SearchImages
    similar: SimilarImages
    duplicates: FindDuplicates
    hash_images: HashImages
    index: IndexImages
    reconcile: ReconcileObjects
    reconcile_manifest: ReconcileManifest
    estimate: EstimateImport
    index_found: IndexFound
    list: ListImages
    facets: CountFacets
    label: LabelImages
    get: GetImages
    read: ReadImage
    update: UpdateImage
    tag: TagImages
    untag: UntagImages
    delete: DeleteImages
    sweep: Sweep
    create_upload_targets: CreateUploadTargets
    complete_uploads: CompleteUploads
    receive_upload: ReceiveUpload | None
    """None where clients send their files past this server."""
    sweep_targets: SweepTargets
    watch_status: WatchStatus
    watch_matches: WatchMatches
