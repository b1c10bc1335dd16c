"""The messages between the server and the processes that decode pictures.

JSON and plain bytes, and never pickle: a picture that takes a decoder over must not gain more.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from domain import errors
from domain.entities.images import Exif, GeoPoint, Picture, Pixels
from domain.errors import UploadRefusal

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = struct.Struct(">II")
"""What each message begins with: the bytes of its head, and of its body."""

MOST_HEAD = 1 << 20
MOST_BODY = 1 << 28

Answer: TypeAlias = Picture | Pixels | str | UploadRefusal
"""The string is a media type."""


def pack(head: object, *parts: bytes) -> bytes:
    """Return a message."""
    text = json.dumps(head).encode()
    return b"".join([LENGTHS.pack(len(text), sum(map(len, parts))), text, *parts])


def pack_answer(answer: Answer) -> bytes:
    """Return the message for an answer."""
    match answer:
        case UploadRefusal():
            return pack({"refusal": type(answer).__name__, "message": answer.message})
        case str():
            return pack({"content_type": answer})
        case Pixels(width, height, rgb):
            return pack({"pixels": [width, height], "lengths": [len(rgb)]}, rgb)
    parts = answer.pixels.rgb, answer.large, answer.thumbnail
    head = {
        "pixels": [answer.pixels.width, answer.pixels.height],
        "lengths": [len(part) for part in parts],
        "content_type": answer.content_type,
        "size": [answer.width, answer.height],
        "placeholder": answer.placeholder,
        "perceptual_hash": answer.perceptual_hash.hex(),
        "pixel_sha256": answer.pixel_sha256,
        "exif": answer.exif and _exif_head(answer.exif),
    }
    return pack(head, *parts)


def unpack_answer(head: bytes, body: bytes) -> Answer:
    """Return the answer in a message."""
    said: dict[str, Any] = json.loads(head)  # as pack_answer wrote it
    if "refusal" in said:
        kind = getattr(errors, said["refusal"])
        refusal: UploadRefusal = kind(said["message"])
        return refusal
    if "pixels" not in said:
        return str(said["content_type"])
    rgb, *renditions = _cut(body, said["lengths"])
    width, height = said["pixels"]
    pixels = Pixels(width, height, rgb)
    if not renditions:
        return pixels
    width, height = said["size"]
    large, thumbnail = renditions
    return Picture(
        content_type=said["content_type"],
        width=width,
        height=height,
        placeholder=said["placeholder"],
        perceptual_hash=bytes.fromhex(said["perceptual_hash"]),
        pixel_sha256=said["pixel_sha256"],
        exif=_exif(said["exif"]) if said["exif"] else None,
        pixels=pixels,
        large=large,
        thumbnail=thumbnail,
    )


def _cut(body: bytes, lengths: Sequence[int]) -> list[bytes]:
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    return [body[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _exif_head(exif: Exif) -> dict[str, object]:
    return asdict(exif) | {"taken_at": exif.taken_at and exif.taken_at.isoformat()}


def _exif(head: dict[str, Any]) -> Exif:
    return Exif(
        **head
        | {
            "taken_at": head["taken_at"] and datetime.fromisoformat(head["taken_at"]),
            "location": head["location"] and GeoPoint(**head["location"]),
        }
    )
