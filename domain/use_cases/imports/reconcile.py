"""Bringing what is known of a place in line with what lies there."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.external_objects import KeyRange, ObjectChange
from domain.entities.tags import clean_tags
from domain.errors import Misconfigured, Remedy
from domain.use_cases.imports.summary import CHUNK, ImportSummary
from domain.use_cases.imports.writer import ImportWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from domain.entities.external_objects import KnownObject
    from domain.ports import ExternalObjects, ObjectListing, Storage

AT_ONCE = 8
"""How many stretches of a place are listed at once."""

ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class ReconcileObjects:
    """Look through a folder or a bucket, and write down what is to be indexed.

    New objects and new versions are written down, and what has vanished is forgotten, with the
    images that were made of it. What a user deleted stays deleted, and what was refused is not
    tried again, unless there is another version of it, or ``retry``.

    A listing and what is known are two sorted lists that are gone through side by side, so memory
    stays the same for any number of objects, and what is unchanged costs no write.
    """

    places: ObjectListing
    objects: ExternalObjects
    storage: Storage

    async def __call__(  # noqa: PLR0913 - each is an option of the command
        self,
        root: str,
        *,
        tags: Iterable[str] = (),
        retry: bool = False,
        force: bool = False,
        dry_run: bool = False,
        progress: Callable[[ImportSummary], None] = lambda _: None,
    ) -> ImportSummary:
        """Return what was found, and tell it to ``progress`` now and then.

        With ``dry_run`` nothing is changed. Raises InvalidArgument for a bad tag, and Misconfigured
        where nothing can be listed or, unless ``force``, where nothing is left of a place
        that had objects: more likely than that all were removed is that a disk is not there.
        """
        stock = ImportSummary(prefix=root)
        survey = _Survey(self, root, stock)
        options = (clean_tags(tags), retry, dry_run, progress)
        stretches = iter(await self.places.split(root))

        async def go_through() -> None:
            ledger = ImportWriter(self.objects, self.storage, stock, *options)
            for key_range in stretches:
                await survey.go_through(key_range, ledger)
            await ledger.add()

        try:
            async with asyncio.TaskGroup() as listing:
                for _ in range(AT_ONCE):
                    listing.create_task(go_through())
        except ExceptionGroup as outage:
            raise outage.exceptions[0] from None
        # Only now: of a listing that broke off, nothing is taken to have vanished.
        if survey.vanished and not stock.listed and not (force or dry_run):
            raise Misconfigured(
                f"Nothing is left at {root}, so all {stock.counts[ObjectChange.VANISHED]:,} objects "
                "would be deleted."
            ).with_remedy(Remedy.CHECK_PLACE)
        ledger = ImportWriter(self.objects, self.storage, stock, *options)
        for ids in survey.chunks():
            await ledger.forget(ids)
        progress(stock)
        return stock


@dataclass(slots=True)
class _Survey:
    """A walk through all stretches of a place, which notes what has vanished."""

    use_case: ReconcileObjects
    root: str
    stock: ImportSummary
    vanished: bytearray = field(default_factory=bytearray)
    """The ids of what is not there any more, one behind the other: there may be millions."""

    async def go_through(self, key_range: KeyRange, ledger: ImportWriter) -> None:
        """List a stretch beside what is known of it."""
        known = _Known(self.use_case.objects, key_range)
        last = ""
        async for listed in self.use_case.places.list(self.root, key_range):
            location = listed.source.location
            if location <= last or location not in key_range:
                raise Misconfigured(
                    f"The objects at {self.root} are not listed in order: {location} follows "
                    f"{last or key_range.first}."
                ).with_remedy(Remedy.LIST_OBJECTS)
            last = location
            while (passed := await known.peek()) and passed.source.location < location:
                self._miss(known.take())
            is_here = passed is not None and passed.source.location == location
            await ledger.enter(listed, known.take() if is_here else None)
        while await known.peek():
            self._miss(known.take())

    def chunks(self) -> Iterator[list[UUID]]:
        """Yield the ids of what has vanished."""
        length = CHUNK * ID_BYTES
        for start in range(0, len(self.vanished), length):
            some = bytes(self.vanished[start : start + length])
            yield [
                UUID(bytes=some[place : place + ID_BYTES])
                for place in range(0, len(some), ID_BYTES)
            ]

    def _miss(self, known: KnownObject) -> None:
        self.stock.counts[ObjectChange.VANISHED] += 1
        self.vanished += known.id.bytes


@dataclass(slots=True)
class _Known:
    """What is known of a stretch, read in chunks as it is needed."""

    objects: ExternalObjects
    key_range: KeyRange
    _ahead: deque[KnownObject] = field(default_factory=deque)
    _after: str = ""
    _is_last: bool = False

    async def peek(self) -> KnownObject | None:
        """Return the next; None behind the last."""
        if not self._ahead and not self._is_last:
            chunk = await self.objects.list_known(self.key_range, after=self._after, limit=CHUNK)
            self._ahead.extend(chunk)
            self._is_last = len(chunk) < CHUNK
            self._after = chunk[-1].source.location if chunk else self._after
        return self._ahead[0] if self._ahead else None

    def take(self) -> KnownObject:
        """Pass by the next."""
        return self._ahead.popleft()
