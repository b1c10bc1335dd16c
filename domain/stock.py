"""What an import finds, counted as it goes, and written down in bulk."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from domain.images import Variant, uuid7
from domain.objects import Finding, RefusedObject, Stretch, compare
from domain.work import FoundObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from domain.objects import KnownObject, ListedObject
    from domain.ports import Objects, Storage

CHUNK = 1_000
"""How many objects are compared, and written down, at a time."""

SAMPLE = 9
"""How many pictures an estimate looks at."""

MOST_NAMED = 50
"""How many objects with something wrong are told of one by one."""

NOT_THERE = "There is nothing at this place, or nothing that may be read."

TO_INDEX = (Finding.NEW, Finding.CHANGED, Finding.UNFINISHED)


@dataclass(slots=True)
class Stock:
    """What was found so far."""

    counts: Counter[Finding] = field(default_factory=Counter)
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
        return self.counts.total() - self.counts[Finding.VANISHED]

    @property
    def to_index(self) -> int:
        """How many objects are to be indexed."""
        return sum(self.counts[finding] for finding in TO_INDEX)

    @property
    def stretch(self) -> Stretch:
        """Where all of it lies; where nothing was found, the empty stretch."""
        return Stretch("", "") if self.prefix is None else Stretch.below(self.prefix)

    def note(self, listed: ListedObject, finding: Finding) -> None:
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


@dataclass(slots=True)
class Ledger:
    """Compares what is listed with what is known, and writes down what is to be indexed.

    In chunks: whatever has been written down is kept if the rest of the import is not.
    """

    objects: Objects
    storage: Storage
    stock: Stock
    tags: tuple[str, ...]
    retry: bool
    dry_run: bool
    progress: Callable[[Stock], None]
    _found: list[FoundObject] = field(default_factory=list)
    _in_place_of: list[UUID] = field(default_factory=list)

    async def enter(self, listed: ListedObject, known: KnownObject | None) -> None:
        """Compare an object with what is known of it."""
        finding = compare(listed, known, retry=self.retry)
        self.stock.note(listed, finding)
        if finding in {Finding.NEW, Finding.CHANGED}:
            # Another id for another version: what is served under an id never changes.
            found = FoundObject(uuid7(), listed.source, listed.byte_size, self.tags)
            self._found.append(found)
            if known is not None:
                self._in_place_of.append(known.id)
            if len(self._found) == CHUNK:
                await self.write_down()
        if self.stock.listed % CHUNK == 0:
            self.progress(self.stock)

    async def write_down(self) -> None:
        """Keep what was entered."""
        found, self._found = self._found, []
        in_place_of, self._in_place_of = self._in_place_of, []
        if found and not self.dry_run:
            await self._remove(await self.objects.write_down(found, in_place_of=in_place_of))
        self.progress(self.stock)

    async def forget(self, ids: Sequence[UUID]) -> None:
        """Forget objects that have vanished, and their images."""
        if not self.dry_run:
            await self._remove(await self.objects.forget(ids))

    async def _remove(self, image_ids: Sequence[UUID]) -> None:
        # Rows first, bytes second, as where a user deletes images.
        await self.storage.delete(
            [variant.key_of(image_id) for image_id in image_ids for variant in Variant]
        )
