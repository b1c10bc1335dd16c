"""Manifests: files that name objects, a line each, bare or as CSV or JSON."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from domain.errors import Misconfigured
from domain.use_cases.imports.reconcile_manifest import ManifestEntry
from infra.locations import FILE, S3, location_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from pathlib import Path

CHUNK = 1_000

COLUMNS = {
    "location": "location",
    "version": "version",
    "size": "size",
    "bucket": "bucket",
    "key": "key",
    "etag": "version",
    "e_tag": "version",
    "byte_size": "size",
}
"""Names of columns, as a header or JSON has them in any case."""


async def read_manifest(file: Path) -> AsyncIterator[ManifestEntry]:
    """Yield what a manifest names; ``-`` is what comes in from outside.

    A line is a location or a path; JSON with ``location``, or ``bucket`` and ``key``, and perhaps
    ``version`` or ``etag`` and ``size``; or CSV. Without a header, CSV is location, version and
    size or, as in S3 Inventory, bucket, key (percent-encoded), size and ETag. Raises Misconfigured.
    """
    with _lines(file) as lines:
        entries = _entries(lines, str(file))
        while chunk := await asyncio.to_thread(lambda: list(islice(entries, CHUNK))):
            for entry in chunk:
                yield entry


def _lines(file: Path) -> Any:  # noqa: ANN401 - a file
    if str(file) == "-":
        return open(sys.stdin.fileno(), encoding="utf-8-sig", closefd=False)
    try:
        return file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Misconfigured(f"The manifest {file} cannot be read: {reason}.") from None


def _entries(file: Iterable[str], name: str) -> Iterator[ManifestEntry]:
    number = 0

    def counted() -> Iterator[str]:
        nonlocal number
        for line in file:
            number += 1
            yield line

    lines = counted()
    first = next((line for line in lines if line.strip()), "")
    lines = chain([first], lines)
    try:
        for row in _json(lines) if first.lstrip().startswith("{") else _csv(lines, first):
            yield _entry(row)
    except (ValueError, csv.Error) as error:
        raise Misconfigured(
            f"Line {number} of the manifest {name} cannot be understood ({error}): write a "
            "location, or a location, version and size with commas between them."
        ) from None


def _json(lines: Iterable[str]) -> Iterator[Mapping[str, object]]:
    for line in lines:
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no object")
            yield {COLUMNS.get(str(name).lower(), ""): value for name, value in row.items()}


def _csv(lines: Iterable[str], first: str) -> Iterator[Mapping[str, object]]:
    if _is_bare(first):
        yield from ({"location": line.strip()} for line in lines if line.strip())
        return
    rows = (row for row in csv.reader(lines) if row)
    header = [name.strip().lower() for name in next(csv.reader([first]))]
    encoded = False
    if set(header) & {"location", "key"}:
        next(rows)
        names = [COLUMNS.get(name, "") for name in header]
    elif header[0].startswith((S3, FILE)) or "/" in header[0]:
        names = ["location", "version", "size"]
    else:
        names = ["bucket", "key", "size", "version"]
        encoded = True
    for row in rows:
        named = dict(zip(names, row, strict=False))
        yield named | {"key": unquote_plus(named["key"])} if encoded else named


def _is_bare(first: str) -> bool:
    """Whether there is but a location on a line, or nothing at all."""
    return not first or (
        len(next(csv.reader([first]))) == 1 and first.strip().lower() != "location"
    )


def _entry(row: Mapping[str, object]) -> ManifestEntry:
    if "location" in row:
        location = str(row["location"])
        if not location.startswith((S3, FILE)):
            location = location_of(location)
    elif {"bucket", "key"} <= set(row):
        location = f"{S3}{row['bucket']}/{row['key']}"
    else:
        raise ValueError("it names no object")
    version, size = row.get("version"), row.get("size")
    return ManifestEntry(
        location,
        str(version).strip('"') if version else None,
        int(str(size)) if size not in {None, ""} else None,
    )
