"""The messages between the server and its decoder processes: length-prefixed JSON and bytes.

Not pickle: a picture that exploits a decoder could otherwise run code in the server.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from domain import errors
from domain.entities.images import Description, Exif, GeoPoint, Picture, Pixels
from domain.errors import UploadRefusal

LENGTH_PREFIX = struct.Struct(">II")
"""The prefix of each message: the lengths of its head (JSON) and of its body, in bytes."""

MAX_HEAD_BYTES = 1 << 20
MAX_BODY_BYTES = 1 << 28

Response: TypeAlias = Picture | Pixels | bytes | str | UploadRefusal
"""Bytes are the rendition of ``render_large``, a string is the media type of ``inspect``.

The pixels of a Picture are a message before it, so that the encoder can begin.
"""


def pack_message(head: object, *parts: bytes) -> bytes:
    """Return a message with a head and a body of concatenated parts."""
    # Not escaped: four bytes a character at most, so that all tags of a picture fit.
    text = json.dumps(head, ensure_ascii=False).encode()
    return b"".join([LENGTH_PREFIX.pack(len(text), sum(map(len, parts))), text, *parts])


def pack_response(response: Response) -> bytes:
    """Return the message of a response."""
    match response:
        case UploadRefusal():
            return pack_message({"refusal": type(response).__name__, "message": response.message})
        case str():
            return pack_message({"inspected": response})
        case bytes():
            return pack_message({"rendition": "large"}, response)
        case Pixels(width, height, rgb):
            return pack_message({"pixels": [width, height]}, rgb)
    head = {
        "thumbnail_bytes": len(response.thumbnail),
        "content_type": response.content_type,
        "size": [response.width, response.height],
        "placeholder": response.placeholder,
        "perceptual_hash": response.perceptual_hash.hex(),
        "pixel_sha256": response.pixel_sha256,
        "exif": response.exif and _pack_exif(response.exif),
        "description": asdict(response.description),
    }
    return pack_message(head, response.thumbnail, response.large or b"")


def unpack_response(head: bytes, body: bytes, *, pixels: Pixels | None = None) -> Response:
    """Return the response of a message: the inverse of ``pack_response``.

    ``pixels`` are those of the message before.
    """
    fields: dict[str, Any] = json.loads(head)  # Any: each kind of response has other types
    if "refusal" in fields:
        error_class = getattr(errors, fields["refusal"])
        refusal: UploadRefusal = error_class(fields["message"])
        return refusal
    if "inspected" in fields:
        return str(fields["inspected"])
    if "rendition" in fields:
        return body
    if pixels is None:
        width, height = fields["pixels"]
        return Pixels(width, height, body)
    width, height = fields["size"]
    thumbnail_bytes = fields["thumbnail_bytes"]
    return Picture(
        content_type=fields["content_type"],
        width=width,
        height=height,
        placeholder=fields["placeholder"],
        perceptual_hash=bytes.fromhex(fields["perceptual_hash"]),
        pixel_sha256=fields["pixel_sha256"],
        exif=_unpack_exif(fields["exif"]) if fields["exif"] else None,
        pixels=pixels,
        thumbnail=body[:thumbnail_bytes],
        large=body[thumbnail_bytes:] or None,
        description=_unpack_description(fields["description"]),
    )


_EXIF_TIMES = ("taken_at", "taken_at_local")


def _unpack_description(head: dict[str, Any]) -> Description:
    return Description(head["alt_text"], head["rating"], tuple(head["tags"]))


def _pack_exif(exif: Exif) -> dict[str, object]:
    times = {name: getattr(exif, name) for name in _EXIF_TIMES}
    return asdict(exif) | {name: time and time.isoformat() for name, time in times.items()}


def _unpack_exif(head: dict[str, Any]) -> Exif:
    return Exif(
        **head
        | {
            **{name: head[name] and datetime.fromisoformat(head[name]) for name in _EXIF_TIMES},
            "location": head["location"] and GeoPoint(**head["location"]),
        }
    )
