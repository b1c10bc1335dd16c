"""What the domain needs from the world: protocols that adapters match by shape."""

from domain.ports.access import Clock, Keys
from domain.ports.catalog import (
    Catalog,
    Duplicates,
    Ingestion,
    KeptSearches,
    LibraryIdentity,
    Places,
    ReadyFeed,
    Renditions,
    Trash,
)
from domain.ports.encoder import EmbeddingSpace, Encoder
from domain.ports.files import (
    ExternalFiles,
    Imaging,
    LocalStaging,
    ObjectListing,
    Staging,
    Storage,
    StorageClaims,
)
from domain.ports.models import Backfill, KnownModels, ModelChanges, Models, ModelTransaction
from domain.ports.vector_index import QuerySamples, ScanTables, ScanTrials, VectorIndex
from domain.ports.work import (
    Events,
    ExternalObjects,
    MissingObjects,
    RepairQueue,
    Scrubs,
    UploadTargets,
    WorkQueue,
)

__all__ = [
    "Backfill",
    "Catalog",
    "Clock",
    "Duplicates",
    "EmbeddingSpace",
    "Encoder",
    "Events",
    "ExternalFiles",
    "ExternalObjects",
    "Imaging",
    "Ingestion",
    "KeptSearches",
    "Keys",
    "KnownModels",
    "LibraryIdentity",
    "LocalStaging",
    "MissingObjects",
    "ModelChanges",
    "ModelTransaction",
    "Models",
    "ObjectListing",
    "Places",
    "QuerySamples",
    "ReadyFeed",
    "Renditions",
    "RepairQueue",
    "ScanTables",
    "ScanTrials",
    "Scrubs",
    "Staging",
    "Storage",
    "StorageClaims",
    "Trash",
    "UploadTargets",
    "VectorIndex",
    "WorkQueue",
]
