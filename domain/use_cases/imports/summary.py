"""What an import finds, counted as it goes, and written down in bulk."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from domain.entities.external_objects import KeyRange, ObjectChange, RefusedObject

if TYPE_CHECKING:
    from domain.entities.external_objects import ListedObject

CHUNK = 1_000
"""How many objects are compared, and written down, at a time."""

SAMPLE = 9
"""How many pictures an estimate looks at."""

MOST_NAMED = 50
"""How many objects with something wrong are told of one by one."""

NOT_THERE = "There is nothing at this place, or nothing that may be read."

TO_INDEX = (ObjectChange.NEW, ObjectChange.CHANGED, ObjectChange.UNFINISHED)


@dataclass(slots=True)
class ImportSummary:
    """What was found so far."""

    counts: Counter[ObjectChange] = field(default_factory=Counter)
    bytes_to_index: int = 0
    sample: list[ListedObject] = field(default_factory=list)
    """Some of what is to be indexed, chosen by chance."""
    missing_count: int = 0
    missing: list[RefusedObject] = field(default_factory=list)
    """The first of what a manifest names and is not there."""
    prefix: str | None = None
    """What all locations begin with."""

    @property
    def listed(self) -> int:
        """How many objects there are."""
        return self.counts.total() - self.counts[ObjectChange.VANISHED]

    @property
    def to_index(self) -> int:
        """How many objects are to be indexed."""
        return sum(self.counts[finding] for finding in TO_INDEX)

    @property
    def key_range(self) -> KeyRange:
        """Where all of it lies; where nothing was found, the empty stretch."""
        return KeyRange("", "") if self.prefix is None else KeyRange.below(self.prefix)

    def note(self, listed: ListedObject, finding: ObjectChange) -> None:
        """Count an object that is there."""
        self.counts[finding] += 1
        if finding in TO_INDEX:
            self.bytes_to_index += listed.byte_size
            if len(self.sample) < SAMPLE:
                self.sample.append(listed)
            elif (place := random.randrange(self.to_index)) < SAMPLE:  # noqa: S311 - no secret
                self.sample[place] = listed

    def widen(self, location: str) -> None:
        """Let the prefix be that of another location, too."""
        if self.prefix is None:
            self.prefix = location
        elif not location.startswith(self.prefix):
            pairs = zip(self.prefix, location, strict=False)
            same = takewhile(lambda pair: pair[0] == pair[1], pairs)
            self.prefix = "".join(character for character, _ in same)

    def miss(self, location: str) -> None:
        """Note that something is not where a manifest says it is."""
        self.missing_count += 1
        if len(self.missing) < MOST_NAMED:
            self.missing.append(RefusedObject(location, NOT_THERE))
