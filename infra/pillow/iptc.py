"""Reads the captions, keywords and dates of IPTC-IIM, which Photoshop's image resources hold."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IPTC_RESOURCE = 0x0404
_RESOURCE_MAGIC = b"8BIM"
_DATASET_MARKER = 0x1C
_APPLICATION_RECORD = 2
_DATASETS = {
    5: "ObjectName",
    25: "Keywords",
    55: "DateCreated",
    60: "TimeCreated",
    105: "Headline",
    120: "Caption",
}
_MAX_DATASETS = 2_000
# Longer datasets have a length of another form; no text of this record does.
_MAX_DATASET_BYTES = 0x7FFF


def read_iptc(block: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return the texts of each dataset by its name. Reading ends at the first damage."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for name, raw in _datasets(block):
        if text := _decoded(raw).strip("\0 \t\r\n"):
            texts[name].append(text)
    return {name: tuple(values) for name, values in texts.items()}


def iptc_of_resources(resources: bytes) -> bytes:
    """Return the IPTC block of Photoshop's image resources; empty where they have none."""
    position = resources.find(_RESOURCE_MAGIC)
    while position >= 0 and resources[position : position + 4] == _RESOURCE_MAGIC:
        kind = int.from_bytes(resources[position + 4 : position + 6], "big")
        # A name of Pascal, and the data, are padded to even lengths.
        name_bytes = resources[position + 6] + 1 if position + 6 < len(resources) else 0
        start = position + 6 + name_bytes + name_bytes % 2 + 4
        size = int.from_bytes(resources[start - 4 : start], "big")
        if kind == IPTC_RESOURCE:
            return resources[start : start + size]
        position = start + size + size % 2
    return b""


def _datasets(block: bytes) -> Iterator[tuple[str, bytes]]:
    position = block.find(bytes([_DATASET_MARKER]))
    for _ in range(_MAX_DATASETS):
        header = block[position : position + 5]
        if position < 0 or len(header) < 5 or header[0] != _DATASET_MARKER:  # noqa: PLR2004 - its length
            return
        size = int.from_bytes(header[3:5], "big")
        if size > _MAX_DATASET_BYTES:
            return
        if header[1] == _APPLICATION_RECORD and header[2] in _DATASETS:
            yield _DATASETS[header[2]], block[position + 5 : position + 5 + size]
        position += 5 + size


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
