"""Global ids: base64 of ``<type>:<uuid>``, as Relay has them."""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain.errors import InvalidArgument, Location

IMAGE, UPLOAD_TARGET = "Image", "UploadTarget"
"""The types whose ids are handed out."""

MAX_IDS = 1_000
"""How many images one change may name."""


def global_id(uuid: UUID, kind: str = IMAGE) -> strawberry.ID:
    """Return an id as the API spells it."""
    return strawberry.ID(base64.b64encode(f"{kind}:{uuid}".encode()).decode())


def uuid_of(given: str, *, location: Location, kind: str = IMAGE) -> UUID:
    """Take an id apart. Raises InvalidArgument for what was never handed out."""
    try:
        uuid = UUID(base64.b64decode(given, validate=True).decode().partition(":")[2])
    except (binascii.Error, ValueError):
        uuid = UUID(int=0)
    if global_id(uuid, kind) != given:
        shown = given if len(given) <= len(global_id(uuid, kind)) else given[:20] + "…"
        raise InvalidArgument(location, f"“{shown}” is no id of this API; send one it returned.")
    return uuid


def uuids_of(given: Sequence[str], *, location: Location, most: int = MAX_IDS) -> list[UUID]:
    """Take ids apart, in order. Raises InvalidArgument for a wrong one, and for too many."""
    if len(given) > most:
        raise InvalidArgument(location, f"{len(given)} ids are too many; send at most {most}.")
    return [uuid_of(id_, location=(*location, index)) for index, id_ in enumerate(given)]


@strawberry.interface
class Node:
    """Whatever can be fetched again by its id."""

    id: strawberry.ID
