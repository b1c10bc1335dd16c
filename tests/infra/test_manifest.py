"""Parsing manifests: lists, CSV, JSON, S3 Inventory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured
from domain.use_cases.imports.reconcile_manifest import ManifestEntry
from infra.filesystem import manifest
from infra.filesystem.manifest import read_manifest
from infra.locations import location_of

if TYPE_CHECKING:
    from pathlib import Path


async def read(tmp_path: Path, text: str) -> list[ManifestEntry]:
    file = tmp_path / "manifest"
    file.write_text(text)
    return [entry async for entry in read_manifest(file)]


BARE = ManifestEntry("s3://b/a.jpg")
JSON = '{"bucket": "b", "key": "a.jpg", "etag": "\\"e1\\"", "size": 12}'
FULL = ManifestEntry("s3://b/a.jpg", "e1", 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n", []),
        ("s3://b/a.jpg", [BARE]),
        ("\ufeffs3://b/a.jpg\r\n\r\n", [BARE]),
        ("\n s3://b/a.jpg \ns3://b/c d,e.jpg\n", [BARE, ManifestEntry("s3://b/c d,e.jpg")]),
        ("s3://b/a.jpg,e1,12\ns3://b/a.jpg,,\n", [FULL, BARE]),
        ("location,version,size\ns3://b/a.jpg,e1,12", [FULL]),
        ("Size,Location\n12,s3://b/a.jpg", [ManifestEntry("s3://b/a.jpg", None, 12)]),
        ("location\ns3://b/a.jpg", [BARE]),
        ('"b","a.jpg","12","e1"\n"b","c%20d%2Be+f","0",""', [
            FULL, ManifestEntry("s3://b/c d+e f", None, 0)
        ]),
        ('Bucket,Key,ETag,Size,Other\nb,c d+e,"""e1""",12,x', [
            ManifestEntry("s3://b/c d+e", "e1", 12)
        ]),
        ('{"location": "s3://b/a.jpg"}\n\n' + JSON, [BARE, FULL]),
    ],
)  # fmt: skip
async def test_each_line_is_an_object(
    tmp_path: Path, text: str, expected: list[ManifestEntry]
) -> None:
    assert expected == await read(tmp_path, text)


async def test_paths_are_local_files(tmp_path: Path) -> None:
    expected = ManifestEntry(location_of(tmp_path / "ä b.jpg"))
    assert [expected] == await read(tmp_path, str(tmp_path / "ä b.jpg"))
    assert [expected] == await read(tmp_path, expected.location)


async def test_lines_are_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "LINES_PER_BATCH", 2)
    assert [BARE] * 5 == await read(tmp_path, "s3://b/a.jpg\n" * 5)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("s3://b/a.jpg,e1,many", 1),
        ("s3://b/a.jpg,e1,1\ns3://b/a.jpg,e1,many", 2),
        ('{"location": "s3://b/a.jpg"}\n{"size": 1}', 2),
        ('{"location": "s3://b/a.jpg"}\n[1]', 2),
        ('{"location": ', 1),
    ],
)
async def test_an_invalid_line_is_reported_with_its_number(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(Misconfigured, match=f"Line {line} of the manifest .* cannot be parsed"):
        await read(tmp_path, text)


async def test_a_missing_manifest_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: no such file"):
        _ = [entry async for entry in read_manifest(tmp_path / "none")]


async def test_a_dash_is_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path  # noqa: PLC0415 - elsewhere only for types

    file = tmp_path / "piped"
    file.write_text("s3://b/a.jpg\n")
    with file.open() as piped:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(piped.buffer))
        assert [BARE] == [entry async for entry in read_manifest(Path("-"))]
