"""Going through the groups of images that are the same picture, or nearly."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.concurrency import Coalescer
from domain.entities.listing import check_page_size
from domain.entities.near_duplicates import Collapse, oldest_of_group
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.near_duplicates import DuplicatePair
    from domain.ports import Catalog, Duplicates

MAX_GROUP = 100
"""Images of one group. A larger one comes in parts, one after the other, each led by the oldest
image of all: whoever keeps the first of every group keeps one picture of them."""


KEPT_SECONDS = 10
"""How long the groups of all links are kept: those who go through them ask for page after page."""


@dataclass(frozen=True, slots=True)
class GroupCursor:
    """A place in the list of groups of one kind; it stays meaningful after the group is gone.

    Groups with the newest image come first, so that a group of which images are deleted moves back
    in the list, if at all: to where those who go through it still come by.
    """

    kind: Collapse
    newest: UUID
    """Of the whole group."""
    last: UUID
    """Of what comes of the group at once."""

    @property
    def rank(self) -> tuple[int, int]:
        """What the list is sorted by: the newest groups first, their parts in order."""
        return -self.newest.int, self.last.int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Two images or more that are the same picture, or nearly, the oldest first."""

    kind: Collapse
    """EXACT_COPIES where all show the same pixels, else NEAR_DUPLICATES."""
    images: tuple[Image, ...]
    similarity: float
    """The smallest cosine similarity of any two of them."""
    cursor: GroupCursor


@dataclass(frozen=True, slots=True)
class DuplicatesPage:
    """One page of groups."""

    groups: tuple[DuplicateGroup, ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A group, or as much of it as comes at once, before anything is looked up."""

    kind: Collapse
    ids: tuple[UUID, ...]
    cursor: GroupCursor


@dataclass(slots=True)
class _Groups:
    """All groups of one kind, in order, and when they were made."""

    made: float
    parts: list[_Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FindDuplicates:
    """Return groups of images that are alike, over however many links, the newest group first.

    What was uploaded since the last time is compared first, but for what is more than some thousand
    images: that waits for later calls. Images that are deleted drop out, and groups with them once
    one image is left; no group is missed for that, though one may come twice.
    """

    duplicates: Duplicates
    catalog: Catalog
    _updates: Coalescer = field(default_factory=Coalescer, init=False)
    _known: dict[Collapse, _Groups] = field(default_factory=dict, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(
        self,
        *,
        kind: Collapse = Collapse.NEAR_DUPLICATES,
        first: int = 20,
        after: GroupCursor | None = None,
    ) -> DuplicatesPage:
        """Return the ``first`` groups behind ``after``. Raises InvalidArgument.

        For NEAR_DUPLICATES, copies are among the groups, and groups of nothing else say so.
        """
        check_page_size("first", first)
        if kind is Collapse.NONE:
            raise InvalidArgument(
                ("kind",), "Without a kind there are no groups; ask for one of the other two."
            )
        if after is not None and after.kind is not kind:
            raise InvalidArgument(
                ("after",), "The cursor belongs to another kind; repeat that one, or leave it out."
            )
        await self.update()
        known = await self._groups(kind)
        page, complete = await self._page(known.parts, first=first, after=after)
        if not complete:
            # What is left when images were deleted may be other groups.
            known = await self._groups(kind, but=known)
            page, _ = await self._page(known.parts, first=first, after=after)
        return page

    async def update(self) -> int:
        """Compare what is new, some thousand images at most, and return how many those were.

        Whoever asks while others do waits for two runs at most, and misses nothing.
        """
        return await self._updates.run(self._update)

    async def _update(self) -> int:
        count = await self.duplicates.update()
        if count:
            self._known.clear()
        return count

    async def _groups(self, kind: Collapse, *, but: _Groups | None = None) -> _Groups:
        """Return the groups of all links, made anew when something new was compared.

        Or when they are some seconds old, as other servers compare, too; or are those in ``but``.
        """
        async with self._turn:
            known = self._known.get(kind)
            if not known or known is but or time.monotonic() - known.made > KEPT_SECONDS:
                # Kept before the links are read: what is compared meanwhile takes it out again.
                known = self._known[kind] = _Groups(time.monotonic())
                try:
                    links = await self.duplicates.pairs(kind)
                    # A hundred thousand take a while; others want to be answered meanwhile.
                    known.parts = await asyncio.to_thread(_parts, links, kind)
                except BaseException:
                    self._known.pop(kind, None)
                    raise
            return known

    async def _page(
        self, parts: Sequence[_Part], *, first: int, after: GroupCursor | None
    ) -> tuple[DuplicatesPage, bool]:
        """Return groups, and whether all of their images are still here."""
        start = bisect_right(parts, after.rank, key=lambda part: part.cursor.rank) if after else 0
        groups, complete = await self._look_up(parts[start:], enough=first + 1)
        page = DuplicatesPage(
            groups=tuple(groups[:first]),
            has_next=len(groups) > first,
            has_previous=start > 0,
        )
        return page, complete

    async def _look_up(
        self, parts: Sequence[_Part], *, enough: int
    ) -> tuple[list[DuplicateGroup], bool]:
        """Return groups until there are enough, passing over those that are gone by now."""
        groups: list[DuplicateGroup] = []
        complete = True
        while parts and len(groups) < enough:
            some, parts = parts[:enough], parts[enough:]
            here = await self.catalog.get([id_ for part in some for id_ in part.ids])
            left = [[id_ for id_ in part.ids if id_ in here] for part in some]
            complete &= all(len(ids) == len(part.ids) for ids, part in zip(left, some, strict=True))
            similarities = await self.duplicates.similarities(left)
            groups += [
                DuplicateGroup(part.kind, tuple(here[id_] for id_ in ids), similarity, part.cursor)
                for part, ids, similarity in zip(some, left, similarities, strict=True)
                if len(ids) > 1
            ]
        return groups, complete


def _parts(links: Sequence[DuplicatePair], kind: Collapse) -> list[_Part]:
    """Return the groups, those with the newest image first, cut where they are large."""
    oldest = oldest_of_group(links)
    members: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for id_ in sorted(oldest):
        members[oldest[id_]].append(id_)
    near = {oldest[link.one] for link in links if not link.exact}
    parts = []
    for first, *others in sorted(members.values(), key=lambda ids: ids[-1], reverse=True):
        is_kind = Collapse.NEAR_DUPLICATES if first in near else Collapse.EXACT_COPIES
        for start in range(0, len(others), MAX_GROUP - 1):
            some = (first, *others[start : start + MAX_GROUP - 1])
            parts.append(_Part(is_kind, some, GroupCursor(kind, others[-1], some[-1])))
    return parts
