"""Pictures that lie elsewhere: what is listed, what is known of it, and how the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Source

HIGHEST = "\U0010ffff"
"""Behind every location."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Locations from ``first`` up to ``end``, which is not in it any more, by code point."""

    first: str
    end: str

    @classmethod
    def below(cls, prefix: str) -> KeyRange:
        """Return all that begins with ``prefix``."""
        if not prefix:
            return cls("", HIGHEST)
        # The code points in front of U+E000 are halves of surrogate pairs, which no text has.
        following = {0xD7FF: 0xE000}.get(ord(prefix[-1]), ord(prefix[-1]) + 1)
        return cls(prefix, prefix[:-1] + chr(min(following, ord(HIGHEST))))

    def __contains__(self, location: str) -> bool:
        return self.first <= location < self.end


@dataclass(frozen=True, slots=True)
class ListedObject:
    """A file or an object of a bucket, as its place lists it."""

    source: Source
    byte_size: int


class ObjectState(StrEnum):
    """How far an object has come."""

    WAITING = "waiting"
    """It is to be indexed."""
    INDEXED = "indexed"
    """It is an image of the library, or has the same bytes as one."""
    REFUSED = "refused"
    """It could not be read, or not again and again, or the image that it is has FAILED."""
    DELETED = "deleted"
    """It was an image, which a user has deleted since."""


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object that was listed at an earlier time."""

    id: UUID
    source: Source
    state: ObjectState


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object that is no image of the library, and why."""

    location: str
    reason: str


class ObjectChange(StrEnum):
    """What has become of an object since it was last listed."""

    NEW = "new"
    CHANGED = "changed"
    """It is another version, or was refused and is to be tried again."""
    UNFINISHED = "unfinished"
    """It is as it was, and still waits."""
    UNCHANGED = "unchanged"
    """It is as it was, and was indexed, or deleted by a user."""
    REFUSED = "refused"
    """It is as it was when it was refused."""
    VANISHED = "vanished"


def compare(listed: ListedObject, known: KnownObject | None, *, retry: bool) -> ObjectChange:
    """Tell what has become of an object that is there; ``retry`` is for what was refused."""
    if known is None:
        return ObjectChange.NEW
    if known.source.version != listed.source.version:
        return ObjectChange.CHANGED
    match known.state:
        case ObjectState.WAITING:
            return ObjectChange.UNFINISHED
        case ObjectState.REFUSED:
            return ObjectChange.CHANGED if retry else ObjectChange.REFUSED
        case ObjectState.INDEXED | ObjectState.DELETED:
            return ObjectChange.UNCHANGED
