"""Finds groups of duplicates and near duplicates, page by page."""

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

MAX_GROUP_SIZE = 100
"""The most images of a returned group. A larger group is split into consecutive parts.

Each part begins with the oldest image of the whole group, so a client that keeps the first image of
every part keeps one image of the group.
"""

GROUPS_CACHE_SECONDS = 10
"""How long all groups are cached: clients fetch page after page, and other servers add pairs."""


@dataclass(frozen=True, slots=True)
class GroupCursor:
    """A position in the list of groups of one kind. It stays valid after its group is gone.

    Groups with the newest image come first. A group that loses images can only move back in the
    list, so a client that pages forward does not miss it.
    """

    kind: Collapse
    newest: UUID
    """The newest image of the whole group."""
    last: UUID
    """The newest image of the part."""

    @property
    def rank(self) -> tuple[int, int]:
        """The sort key: the newest groups first, their parts in order."""
        return -self.newest.int, self.last.int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """At least two images that are alike, the oldest first."""

    kind: Collapse
    """EXACT_COPIES where all images have the same pixels, otherwise NEAR_DUPLICATES."""
    images: tuple[Image, ...]
    similarity: float
    """The smallest cosine similarity of two of the images."""
    cursor: GroupCursor


@dataclass(frozen=True, slots=True)
class DuplicatesPage:
    """One page of groups."""

    groups: tuple[DuplicateGroup, ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """The ids of a group, or of a part of a large group."""

    kind: Collapse
    ids: tuple[UUID, ...]
    cursor: GroupCursor


@dataclass(slots=True)
class _CachedGroups:
    """All groups of one kind, in order."""

    cached_at: float
    parts: list[_Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FindDuplicates:
    """Returns groups of images that are alike, directly or through other images.

    The groups with the newest image come first. Each call first compares images that are not
    compared yet, at most some thousand; later calls compare the rest. Deleted images are left out,
    and so are groups of one remaining image. Deletions never hide a group from a client that pages
    forward, but a group can be returned twice.
    """

    duplicates: Duplicates
    catalog: Catalog
    _updates: Coalescer = field(default_factory=Coalescer, init=False)
    _cache: dict[Collapse, _CachedGroups] = field(default_factory=dict, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(
        self,
        *,
        kind: Collapse = Collapse.NEAR_DUPLICATES,
        first: int = 20,
        after: GroupCursor | None = None,
    ) -> DuplicatesPage:
        """Return the ``first`` groups after a cursor. Raises InvalidArgument.

        The groups of NEAR_DUPLICATES include exact copies. A group that consists of exact copies
        only has the kind EXACT_COPIES.
        """
        check_page_size("first", first)
        if kind is Collapse.NONE:
            raise InvalidArgument(
                ("kind",),
                "The kind NONE has no groups; choose EXACT_COPIES or NEAR_DUPLICATES.",
            )
        if after is not None and after.kind is not kind:
            raise InvalidArgument(
                ("after",), "The cursor belongs to another kind; repeat that one, or leave it out."
            )
        await self.update()
        cached = await self._groups(kind)
        page, is_complete = await self._page(cached.parts, first=first, after=after)
        if not is_complete:
            # Deletions can split a group, so the groups are computed again.
            cached = await self._groups(kind, stale=cached)
            page, _ = await self._page(cached.parts, first=first, after=after)
        return page

    async def update(self) -> int:
        """Compare new images, at most some thousand, and return their number.

        Concurrent calls share one run.
        """
        return await self._updates.run(self._update)

    async def _update(self) -> int:
        count = await self.duplicates.update()
        if count:
            self._cache.clear()
        return count

    async def _groups(self, kind: Collapse, *, stale: _CachedGroups | None = None) -> _CachedGroups:
        """Return all groups, from the cache unless it is empty, expired or ``stale``."""
        async with self._lock:
            cached = self._cache.get(kind)
            if (
                not cached
                or cached is stale
                or time.monotonic() - cached.cached_at > GROUPS_CACHE_SECONDS
            ):
                # Cached before the pairs are read, so that a concurrent update invalidates it.
                cached = self._cache[kind] = _CachedGroups(time.monotonic())
                try:
                    pairs = await self.duplicates.pairs(kind)
                    # A hundred thousand pairs would block the event loop noticeably.
                    cached.parts = await asyncio.to_thread(_parts, pairs, kind)
                except BaseException:
                    self._cache.pop(kind, None)
                    raise
            return cached

    async def _page(
        self, parts: Sequence[_Part], *, first: int, after: GroupCursor | None
    ) -> tuple[DuplicatesPage, bool]:
        """Return a page, and whether all images of its parts still exist."""
        start = bisect_right(parts, after.rank, key=lambda part: part.cursor.rank) if after else 0
        groups, is_complete = await self._fetch(parts[start:], count=first + 1)
        page = DuplicatesPage(
            groups=tuple(groups[:first]),
            has_next=len(groups) > first,
            has_previous=start > 0,
        )
        return page, is_complete

    async def _fetch(
        self, parts: Sequence[_Part], *, count: int
    ) -> tuple[list[DuplicateGroup], bool]:
        """Return at least ``count`` groups if there are as many, without groups that are gone.

        Also returns whether all images of the fetched parts still exist.
        """
        groups: list[DuplicateGroup] = []
        is_complete = True
        while parts and len(groups) < count:
            batch, parts = parts[:count], parts[count:]
            images = await self.catalog.get([id_ for part in batch for id_ in part.ids])
            existing = [[id_ for id_ in part.ids if id_ in images] for part in batch]
            is_complete &= all(
                len(ids) == len(part.ids) for ids, part in zip(existing, batch, strict=True)
            )
            similarities = await self.duplicates.similarities(existing)
            groups += [
                DuplicateGroup(
                    part.kind, tuple(images[id_] for id_ in ids), similarity, part.cursor
                )
                for part, ids, similarity in zip(batch, existing, similarities, strict=True)
                if len(ids) > 1
            ]
        return groups, is_complete


def _parts(pairs: Sequence[DuplicatePair], kind: Collapse) -> list[_Part]:
    """Return the groups, those with the newest image first. Large groups are split."""
    oldest = oldest_of_group(pairs)
    members: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for id_ in sorted(oldest):
        members[oldest[id_]].append(id_)
    near = {oldest[pair.one] for pair in pairs if not pair.exact}
    parts = []
    for first, *others in sorted(members.values(), key=lambda ids: ids[-1], reverse=True):
        kind_of_group = Collapse.NEAR_DUPLICATES if first in near else Collapse.EXACT_COPIES
        for start in range(0, len(others), MAX_GROUP_SIZE - 1):
            ids = (first, *others[start : start + MAX_GROUP_SIZE - 1])
            parts.append(_Part(kind_of_group, ids, GroupCursor(kind, others[-1], ids[-1])))
    return parts
