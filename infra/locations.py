"""Locations of external files: ``file:///folder/name``, percent-encoded, or ``s3://bucket/key``."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from domain.errors import Misconfigured

FILE_SCHEME = "file://"
S3_SCHEME = "s3://"


def location_of(path: str | os.PathLike[str]) -> str:
    """Return the location of a file, whose name may contain any bytes."""
    return FILE_SCHEME + quote(os.fsencode(Path(path).absolute()), safe="/")


def path_of(location: str) -> Path:
    """Return the path of a ``file://`` location."""
    return Path(os.fsdecode(unquote_to_bytes(location.removeprefix(FILE_SCHEME))))


def bucket_and_key(location: str) -> tuple[str, str]:
    """Return the bucket and the key of an ``s3://`` location. Keys are not percent-encoded."""
    bucket, _, key = location.removeprefix(S3_SCHEME).partition("/")
    return bucket, key


def root_of(given: str) -> str:
    """Return the location, with a trailing slash, of a folder or bucket given by a user.

    Raises Misconfigured for anything else.
    """
    if given.startswith(S3_SCHEME):
        bucket, key = bucket_and_key(given)
        if not bucket:
            raise Misconfigured(f"{given} names no bucket: write s3://bucket/prefix.")
        prefix = key.strip("/")
        return f"{S3_SCHEME}{bucket}/{prefix}/" if prefix else f"{S3_SCHEME}{bucket}/"
    if "://" in given and not given.startswith(FILE_SCHEME):
        raise Misconfigured(f"{given} is no folder and no bucket: write s3://bucket/prefix.")
    folder = path_of(given) if given.startswith(FILE_SCHEME) else Path(given).expanduser()
    if not folder.is_dir():
        raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
    return f"{location_of(folder.resolve()).rstrip('/')}/"


def file_location(given: str) -> str | None:
    """Return the location of a file that a user gave as a path; None for anything else.

    It is the one that an import of its folder finds.
    """
    if "://" in given:
        return None
    path = Path(given).expanduser()
    return location_of(path.parent.resolve() / path.name) if path.is_file() else None


def shown(location: str, *, root: str | None = None, given: str = "") -> str:
    """Return a location as people read it: a path; below ``root`` it begins as a user gave that."""
    if root is None or not location.startswith(root) or given.startswith(FILE_SCHEME):
        return str(path_of(location)) if location.startswith(FILE_SCHEME) else location
    rest = location.removeprefix(root)
    if root.startswith(FILE_SCHEME):
        rest = os.fsdecode(unquote_to_bytes(rest))
    return f"{given.rstrip('/')}/{rest}" if rest else given


def check_outside_library(root: str, own_locations: tuple[str, ...]) -> None:
    """Raise Misconfigured for a root inside the library's own files."""
    if root.startswith(own_locations):
        raise Misconfigured(
            f"{root} is where Pictograph keeps its own files: import from another place, or move "
            "these files with PICTOGRAPH_S3_PREFIX or PICTOGRAPH_DATA_DIR."
        )
