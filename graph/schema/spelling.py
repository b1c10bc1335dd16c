"""How the API spells ids and names of the domain. Imports no library."""

from __future__ import annotations

import base64
import binascii
import re
from uuid import UUID

IMAGE, UPLOAD_TARGET = "Image", "UploadTarget"
"""The types with a global id."""


def encode_id(uuid: UUID, kind: str = IMAGE) -> str:
    """Return the global id of an object."""
    return base64.b64encode(f"{kind}:{uuid}".encode()).decode()


def decode_id(id_: str, kind: str = IMAGE) -> UUID | None:
    """Return the UUID of a global id; None for another type, and for what is no id."""
    try:
        uuid = UUID(base64.b64decode(id_, validate=True).decode().partition(":")[2])
    except (binascii.Error, ValueError):
        return None
    return uuid if encode_id(uuid, kind) == id_ else None


def camel_case(name: str | int) -> str:
    """Return a name of the domain as the API writes it. Numbers stay as they are."""
    first, *rest = str(name).split("_")
    return first + "".join(word.title() for word in rest)


def snake_case(name: str) -> str:
    """Return a name of the API as the domain writes it."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
