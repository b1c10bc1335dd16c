"""The summary of an import: counts, a sample to estimate by, and missing objects."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from domain.entities.external_objects import KeyRange, ObjectChange, RefusedObject
from domain.entities.images import first_uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.external_objects import ListedObject, SkippedLink, UnlistedFolder
    from domain.entities.passed_over import PassedOver

OBJECT_BATCH_SIZE = 1_000
"""How many external objects are read, compared and written at a time."""

ESTIMATE_SAMPLE_SIZE = 9
"""How many objects are sampled to estimate the rate of an import."""

MAX_NAMED_REFUSALS = 50
"""How many refused or missing objects are named; all are counted."""

MAX_NAMED_LINKS = 3
"""How many links that are not followed are named; all are counted."""

MISSING_OBJECT_REASON = "No readable object is at this location; correct the manifest."

EMPTY_FOLDER_REASON = (
    "It is empty, and pictures of it are known: perhaps a disk is not mounted. They are kept."
)

UNSEEN = (ObjectChange.VANISHED, ObjectChange.UNLISTED)

CHANGES_TO_INDEX = (ObjectChange.NEW, ObjectChange.CHANGED, ObjectChange.UNFINISHED)


@dataclass(slots=True)
class ImportSummary:
    """What an import has found so far."""

    counts: Counter[ObjectChange] = field(default_factory=Counter)
    bytes_to_index: int = 0
    sample: list[ListedObject] = field(default_factory=list)
    """A random sample of the objects to index, at most ESTIMATE_SAMPLE_SIZE."""
    unfinished: list[UUID] = field(default_factory=list)
    """The objects that an earlier import added, and that were still waiting."""
    passed_over: Counter[PassedOver] = field(default_factory=Counter)
    """The files that are no pictures. They are not among the counts."""
    missing_count: int = 0
    missing: list[RefusedObject] = field(default_factory=list)
    """The first objects that a manifest names and that do not exist."""
    unlisted_count: int = 0
    unlisted: list[RefusedObject] = field(default_factory=list)
    """The first folders that could not be listed, and why."""
    link_count: int = 0
    links: list[str] = field(default_factory=list)
    """The locations of the first links that were not followed."""
    prefix: str | None = None
    """A common prefix of all locations, or None before the first one."""
    started: UUID = field(default_factory=first_uuid7)
    """Not above the ids of the objects that this import adds."""

    @property
    def listed(self) -> int:
        """The number of objects that exist."""
        return self.counts.total() - sum(self.counts[change] for change in UNSEEN)

    @property
    def to_index(self) -> int:
        """The number of objects to index."""
        return sum(self.counts[change] for change in CHANGES_TO_INDEX)

    @property
    def key_range(self) -> KeyRange:
        """A range that contains all locations; empty before the first one."""
        return KeyRange("", "") if self.prefix is None else KeyRange.below(self.prefix)

    def add(self, listed: ListedObject, change: ObjectChange) -> None:
        """Count an object that exists, and sample it if it is to be indexed."""
        self.counts[change] += 1
        if change in CHANGES_TO_INDEX:
            self.bytes_to_index += listed.byte_size
            # Reservoir sampling (Vitter, 1985): every object has the same chance.
            if len(self.sample) < ESTIMATE_SAMPLE_SIZE:
                self.sample.append(listed)
            elif (index := random.randrange(self.to_index)) < ESTIMATE_SAMPLE_SIZE:  # noqa: S311 - not for security
                self.sample[index] = listed

    def add_missing(self, location: str) -> None:
        """Count an object that a manifest names and that does not exist."""
        self.missing_count += 1
        if len(self.missing) < MAX_NAMED_REFUSALS:
            self.missing.append(RefusedObject(location, MISSING_OBJECT_REASON))

    def add_unlisted(self, folder: UnlistedFolder, *, known: int) -> None:
        """Count a folder that could not be listed, and the known objects below it."""
        self.counts[ObjectChange.UNLISTED] += known
        if folder.error or known:
            self.unlisted_count += 1
            if len(self.unlisted) < MAX_NAMED_REFUSALS:
                reason = folder.error or EMPTY_FOLDER_REASON
                self.unlisted.append(RefusedObject(folder.location, reason))

    def add_link(self, link: SkippedLink) -> None:
        """Count a link that is not followed."""
        self.link_count += 1
        if len(self.links) < MAX_NAMED_LINKS:
            self.links.append(link.location)

    def include(self, location: str) -> None:
        """Shorten the prefix so that the location begins with it."""
        if self.prefix is None:
            self.prefix = location
        elif not location.startswith(self.prefix):
            pairs = zip(self.prefix, location, strict=False)
            common = takewhile(lambda pair: pair[0] == pair[1], pairs)
            self.prefix = "".join(character for character, _ in common)
