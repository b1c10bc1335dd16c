"""Global ids, base64 of ``<type>:<uuid>``, and Relay's interface ``Node``."""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain.errors import InvalidArgument, Location

IMAGE, UPLOAD_TARGET = "Image", "UploadTarget"
"""The types with a global id."""

MAX_IDS = 1_000
"""The most ids in one list."""


def global_id(uuid: UUID, kind: str = IMAGE) -> strawberry.ID:
    """Return the global id of an object."""
    return strawberry.ID(base64.b64encode(f"{kind}:{uuid}".encode()).decode())


def uuid_of(id_: str, *, location: Location, kind: str = IMAGE) -> UUID:
    """Return the UUID of a global id. Raises InvalidArgument, also for another type."""
    try:
        uuid = UUID(base64.b64decode(id_, validate=True).decode().partition(":")[2])
    except (binascii.Error, ValueError):
        uuid = UUID(int=0)
    expected = global_id(uuid, kind)
    if expected != id_:
        shown = id_ if len(id_) <= len(expected) else id_[:20] + "…"
        raise InvalidArgument(
            location, f"“{shown}” is not an id of this API; send an id that the API returned."
        )
    return uuid


def uuids_of(ids: Sequence[str], *, location: Location, most: int = MAX_IDS) -> list[UUID]:
    """Return the UUIDs of global ids, in order. Raises InvalidArgument, also for too many ids."""
    if len(ids) > most:
        raise InvalidArgument(location, f"{len(ids)} ids are too many; send at most {most}.")
    return [uuid_of(id_, location=(*location, index)) for index, id_ in enumerate(ids)]


@strawberry.interface
class Node:
    """An object that can be fetched again by its global id."""

    id: strawberry.ID
    """The global id: an opaque text, which never changes."""
