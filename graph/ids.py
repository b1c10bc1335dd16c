"""Global ids: base64 of ``Image:<uuid>``, as Relay has them."""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain.errors import InvalidArgument

PREFIX = "Image:"
MAX_IDS = 1_000
"""How many images one change may name."""


def global_id(image_id: UUID) -> strawberry.ID:
    """Return an image's id as the API spells it."""
    return strawberry.ID(base64.b64encode(f"{PREFIX}{image_id}".encode()).decode())


def uuid_of(given: str, *, argument: str) -> UUID:
    """Take an id apart. Raises InvalidArgument for what was never handed out."""
    try:
        kind, _, uuid = base64.b64decode(given, validate=True).decode().partition(":")
        image_id = UUID(uuid)
    except (binascii.Error, ValueError):
        kind, image_id = "", UUID(int=0)
    if kind != PREFIX[:-1] or global_id(image_id) != given:
        shown = given if len(given) <= len(global_id(image_id)) else given[:20] + "…"
        raise InvalidArgument(argument, f"“{shown}” is no id of this API; send one it returned.")
    return image_id


def uuids_of(given: Sequence[str], *, argument: str, most: int = MAX_IDS) -> list[UUID]:
    """Take ids apart, in order. Raises InvalidArgument for a wrong one, and for too many."""
    if len(given) > most:
        raise InvalidArgument(argument, f"{len(given)} ids are too many; send at most {most}.")
    return [uuid_of(id_, argument=f"{argument}.{place}") for place, id_ in enumerate(given)]
