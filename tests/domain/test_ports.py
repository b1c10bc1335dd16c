"""Ports are matched by shape, and the fakes that stand in for adapters have it."""

from __future__ import annotations

from inspect import get_annotations, isfunction, signature
from typing import TYPE_CHECKING

import pytest

from domain import ports
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import MemoryClaims, MemoryIdentity
from tests.fakes.clock import SettableClock
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.encoder import FakeEncoder
from tests.fakes.events import MemoryEvents
from tests.fakes.external_files import MemoryExternalFiles
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.imaging import FakeImaging
from tests.fakes.kept_searches import MemoryKeptSearches
from tests.fakes.keys import MemoryKeys
from tests.fakes.models import MemoryBackfill, MemoryModels, MemoryTransaction
from tests.fakes.object_listing import MemoryObjectListing
from tests.fakes.places import MemoryPlaces
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.scrubs import MemoryScrubs
from tests.fakes.staging import MemoryStaging
from tests.fakes.storage import MemoryStorage
from tests.fakes.trash import MemoryTrash
from tests.fakes.upload_targets import MemoryUploadTargets
from tests.fakes.work_queue import MemoryWorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

FAKES: dict[type, type] = {
    ports.Encoder: FakeEncoder,
    ports.Imaging: FakeImaging,
    ports.Storage: MemoryStorage,
    ports.StorageClaims: MemoryClaims,
    ports.LibraryIdentity: MemoryIdentity,
    ports.RepairQueue: MemoryRepairQueue,
    ports.Scrubs: MemoryScrubs,
    ports.ExternalFiles: MemoryExternalFiles,
    ports.KnownModels: MemoryModels,
    ports.Models: MemoryModels,
    ports.ModelChanges: MemoryModels,
    ports.ModelTransaction: MemoryTransaction,
    ports.Backfill: MemoryBackfill,
    ports.WorkQueue: MemoryWorkQueue,
    ports.ObjectListing: MemoryObjectListing,
    ports.ExternalObjects: MemoryExternalObjects,
    ports.MissingObjects: MemoryExternalObjects,
    ports.Catalog: MemoryCatalog,
    ports.Places: MemoryPlaces,
    ports.Trash: MemoryTrash,
    ports.Staging: MemoryStaging,
    ports.LocalStaging: MemoryStaging,
    ports.UploadTargets: MemoryUploadTargets,
    ports.Events: MemoryEvents,
    ports.Duplicates: MemoryDuplicates,
    ports.KeptSearches: MemoryKeptSearches,
    ports.Keys: MemoryKeys,
    ports.Clock: SettableClock,
}


def promises(port: type) -> dict[str, Callable[..., object]]:
    return {
        name: method
        for name, method in vars(port).items()
        if isfunction(method) and (name == "__call__" or not name.startswith("_"))
    }


@pytest.mark.parametrize("port", FAKES)
def test_a_fake_takes_and_returns_what_its_port_says_and_inherits_nothing(port: type) -> None:
    assert promises(port)
    for name, method in promises(port).items():
        fake = getattr(FAKES[port], name)
        assert signature(method).parameters == signature(fake).parameters
        assert get_annotations(method)["return"] == get_annotations(fake)["return"]
    assert port not in FAKES[port].__mro__


@pytest.mark.parametrize("port", FAKES)
def test_a_port_says_what_each_of_its_methods_promises(port: type) -> None:
    assert port.__doc__
    assert all(method.__doc__ for method in promises(port).values())
