"""Locations: ``file:///folder/name`` percent-encoded, ``s3://bucket/key`` as it is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from domain.errors import Misconfigured

FILE = "file://"
S3 = "s3://"


def location_of(path: str | os.PathLike[str]) -> str:
    """Return the location of a file. Names may be of any bytes."""
    return FILE + quote(os.fsencode(Path(path).absolute()), safe="/")


def path_of(location: str) -> Path:
    """Return the file at a location."""
    return Path(os.fsdecode(unquote_to_bytes(location.removeprefix(FILE))))


def bucket_and_key(location: str) -> tuple[str, str]:
    """Return what a location in a store consists of."""
    bucket, _, key = location.removeprefix(S3).partition("/")
    return bucket, key


def root_of(place: str) -> str:
    """Return the location of a folder or of a bucket that somebody names; it ends in a slash.

    Raises Misconfigured for what is neither.
    """
    if place.startswith(S3):
        bucket, key = bucket_and_key(place)
        if not bucket:
            raise Misconfigured(f"{place} names no bucket: write s3://bucket/prefix.")
        return f"{S3}{bucket}/{key.strip('/')}/" if key.strip("/") else f"{S3}{bucket}/"
    if "://" in place and not place.startswith(FILE):
        raise Misconfigured(f"{place} is no folder, and no bucket: write s3://bucket/prefix.")
    folder = path_of(place) if place.startswith(FILE) else Path(place).expanduser()
    if not folder.is_dir():
        raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
    return f"{location_of(folder.resolve()).rstrip('/')}/"


def check_not_own(root: str, own: tuple[str, ...]) -> None:
    """Raise Misconfigured for a place where the library keeps files of its own."""
    if root.startswith(own):
        raise Misconfigured(
            f"{root} is where Pictograph keeps its own files: name another place, or give those "
            "PICTOGRAPH_S3_PREFIX or PICTOGRAPH_DATA_DIR of their own."
        )
