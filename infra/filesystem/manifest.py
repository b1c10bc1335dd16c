"""Manifests: files with one object a line, as a location, CSV or JSON."""

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
from infra.locations import FILE_SCHEME, S3_SCHEME, location_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from pathlib import Path

LINES_PER_BATCH = 1_000
"""How many lines are parsed in one call to a thread."""

COLUMN_ALIASES = {
    "location": "location",
    "version": "version",
    "size": "size",
    "bucket": "bucket",
    "key": "key",
    "etag": "version",
    "e_tag": "version",
    "byte_size": "size",
}
"""Column names of headers and JSON, in lower case, and the fields that they stand for."""


async def read_manifest(file: Path) -> AsyncIterator[ManifestEntry]:
    """Yield the entries of a manifest; ``-`` is standard input. Raises Misconfigured.

    A line is a location or a path; or JSON with ``location``, or with ``bucket`` and ``key``, and
    optionally ``version`` or ``etag``, and ``size``; or CSV. CSV without a header is location,
    version and size or, as in S3 Inventory, bucket, key (percent-encoded), size and ETag.
    """
    with _open(file) as lines:
        entries = _parse_lines(lines, str(file))
        while batch := await asyncio.to_thread(lambda: list(islice(entries, LINES_PER_BATCH))):
            for entry in batch:
                yield entry


def _open(file: Path) -> Any:  # noqa: ANN401 - a text file
    if str(file) == "-":
        return open(sys.stdin.fileno(), encoding="utf-8-sig", closefd=False)
    try:
        return file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Misconfigured(f"The manifest {file} cannot be read: {reason}.") from None


def _parse_lines(file: Iterable[str], name: str) -> Iterator[ManifestEntry]:
    line_number = 0

    def count_lines() -> Iterator[str]:
        nonlocal line_number
        for line in file:
            line_number += 1
            yield line

    lines = count_lines()
    first = next((line for line in lines if line.strip()), "")
    lines = chain([first], lines)
    is_json = first.lstrip().startswith("{")
    try:
        for row in _parse_json(lines) if is_json else _parse_csv(lines, first):
            yield _entry(row)
    except (ValueError, csv.Error) as error:
        raise Misconfigured(
            f"Line {line_number} of the manifest {name} cannot be parsed ({error}): write a "
            "location, or a location, version and size separated by commas."
        ) from None


def _parse_json(lines: Iterable[str]) -> Iterator[Mapping[str, object]]:
    for line in lines:
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is not a JSON object")
            yield {COLUMN_ALIASES.get(str(name).lower(), ""): value for name, value in row.items()}


def _parse_csv(lines: Iterable[str], first: str) -> Iterator[Mapping[str, object]]:
    if _is_plain_list(first):
        yield from ({"location": line.strip()} for line in lines if line.strip())
        return
    rows = (row for row in csv.reader(lines) if row)
    header = [name.strip().lower() for name in next(csv.reader([first]))]
    is_inventory = False
    if set(header) & {"location", "key"}:
        next(rows)
        names = [COLUMN_ALIASES.get(name, "") for name in header]
    elif header[0].startswith((S3_SCHEME, FILE_SCHEME)) or "/" in header[0]:
        names = ["location", "version", "size"]
    else:
        names = ["bucket", "key", "size", "version"]
        is_inventory = True
    for row in rows:
        fields = dict(zip(names, row, strict=False))
        yield fields | {"key": unquote_plus(fields["key"])} if is_inventory else fields


def _is_plain_list(first: str) -> bool:
    """Whether each line is a location without commas, or the manifest is empty."""
    return not first or (
        len(next(csv.reader([first]))) == 1 and first.strip().lower() != "location"
    )


def _entry(row: Mapping[str, object]) -> ManifestEntry:
    if "location" in row:
        location = str(row["location"])
        if not location.startswith((S3_SCHEME, FILE_SCHEME)):
            location = location_of(location)
    elif {"bucket", "key"} <= set(row):
        location = f"{S3_SCHEME}{row['bucket']}/{row['key']}"
    else:
        raise ValueError("it has neither a location nor a bucket and key")
    version, size = row.get("version"), row.get("size")
    return ManifestEntry(
        location,
        str(version).strip('"') if version else None,
        int(str(size)) if size not in {None, ""} else None,
    )
