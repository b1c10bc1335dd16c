"""Global ids, base64 of ``<type>:<uuid>``, and Relay's interface ``Node``."""

from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain.errors import InvalidArgument, Location
from graph.schema.spelling import IMAGE, UPLOAD_TARGET, decode_id, encode_id

__all__ = ["IMAGE", "MAX_IDS", "UPLOAD_TARGET", "Node", "global_id", "uuid_of", "uuids_of"]

MAX_IDS = 1_000
"""The most ids in one list."""


def global_id(uuid: UUID, kind: str = IMAGE) -> strawberry.ID:
    """Return the global id of an object."""
    return strawberry.ID(encode_id(uuid, kind))


def uuid_of(id_: str, *, location: Location, kind: str = IMAGE) -> UUID:
    """Return the UUID of a global id. Raises InvalidArgument, also for another type."""
    uuid = decode_id(id_, kind)
    if uuid is None:
        shown = id_ if len(id_) <= len(encode_id(UUID(int=0), kind)) else id_[:20] + "…"
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
