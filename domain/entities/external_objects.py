"""Objects of external folders and buckets: as listed, as known, and the difference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Source

HIGHEST_CODE_POINT = "\U0010ffff"
"""An upper bound of every location."""

MISSING_GRACE_PERIOD = timedelta(days=30)
"""How long an image whose last file is missing stays in the trash by default."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A half-open range of locations by code point: ``first`` included, ``end`` excluded."""

    first: str
    end: str

    @classmethod
    def below(cls, prefix: str) -> KeyRange:
        """Return the range of all locations that begin with ``prefix``."""
        if not prefix:
            return cls("", HIGHEST_CODE_POINT)
        # U+D800 to U+DFFF are halves of surrogate pairs, which no text contains.
        following = {0xD7FF: 0xE000}.get(ord(prefix[-1]), ord(prefix[-1]) + 1)
        return cls(prefix, prefix[:-1] + chr(min(following, ord(HIGHEST_CODE_POINT))))

    def __contains__(self, location: str) -> bool:
        return self.first <= location < self.end


@dataclass(frozen=True, slots=True)
class ListedObject:
    """A file of a folder, or an object of a bucket, as a listing returns it."""

    source: Source
    byte_size: int

    @property
    def location(self) -> str:
        """The place of the object."""
        return self.source.location


@dataclass(frozen=True, slots=True)
class UnlistedFolder:
    """A folder whose files are unknown: nothing below it counts as missing."""

    location: str
    """Ends in a slash."""
    error: str | None = None
    """Why it cannot be listed. None for an empty folder, on which a disk may not be mounted."""


@dataclass(frozen=True, slots=True)
class SkippedLink:
    """A symbolic link that is not followed: to a folder, or out of the place of the import."""

    location: str


ListingEntry: TypeAlias = ListedObject | UnlistedFolder | SkippedLink


class ObjectState(StrEnum):
    """The progress of indexing an object."""

    WAITING = "waiting"
    """It has a task, and no result yet."""
    INDEXED = "indexed"
    """It became an image, or it has the same bytes or pixels as an image."""
    REFUSED = "refused"
    """It cannot be read, its task ran out of attempts, or its image is FAILED."""
    DELETED = "deleted"
    """A user deleted its image. Files with the same bytes do not bring the image back."""


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object of an earlier listing."""

    id: UUID
    source: Source
    state: ObjectState
    is_missing: bool = False
    """Whether the last listing did not find it."""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What became of the objects of a range."""

    recognised: int = 0
    """Objects added since an instant whose bytes or pixels were known: of images that moved, were
    copied or touched, or that a user deleted."""
    missing: int = 0
    """Images whose last file is missing, those in the trash as missing included."""
    unlisted: int = 0
    """Images whose last file is in a folder that could not be listed."""
    duplicates: int = 0
    """Those of the recognised objects whose image has another file, or was uploaded."""


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object that did not become an image, and why."""

    location: str
    reason: str


class ObjectChange(StrEnum):
    """How an object differs from the last listing."""

    NEW = "new"
    CHANGED = "changed"
    """It has another version, or it was refused and is retried."""
    UNFINISHED = "unfinished"
    """It has the same version, and is still WAITING."""
    UNCHANGED = "unchanged"
    """It has the same version, and was indexed, or deleted by a user."""
    RETURNED = "returned"
    """It was missing, and has the same version as before."""
    REFUSED = "refused"
    """It has the version that was refused."""
    VANISHED = "vanished"
    """It is not listed any more."""
    UNLISTED = "unlisted"
    """It is in a folder that could not be listed."""


def compare(listed: ListedObject, known: KnownObject | None, *, retry: bool) -> ObjectChange:
    """Compare a listed object with the known one. ``retry`` turns REFUSED into CHANGED."""
    if known is None:
        return ObjectChange.NEW
    if known.source.version != listed.source.version:
        return ObjectChange.NEW if known.is_missing else ObjectChange.CHANGED
    if known.is_missing:
        return ObjectChange.RETURNED
    match known.state:
        case ObjectState.WAITING:
            return ObjectChange.UNFINISHED
        case ObjectState.REFUSED:
            return ObjectChange.CHANGED if retry else ObjectChange.REFUSED
        case ObjectState.INDEXED | ObjectState.DELETED:
            return ObjectChange.UNCHANGED
