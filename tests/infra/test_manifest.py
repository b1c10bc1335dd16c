"""Manifests in every form."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured
from domain.use_cases.imports.reconcile_manifest import ManifestEntry
from infra.filesystem import manifest as module
from infra.filesystem.manifest import read_manifest
from infra.locations import location_of

if TYPE_CHECKING:
    from pathlib import Path


async def read(tmp_path: Path, text: str) -> list[ManifestEntry]:
    file = tmp_path / "manifest"
    file.write_text(text)
    return [entry async for entry in read_manifest(file)]


A = ManifestEntry("s3://b/a.jpg")
JSON = '{"bucket": "b", "key": "a.jpg", "etag": "\\"e1\\"", "size": 12}'
FULL = ManifestEntry("s3://b/a.jpg", "e1", 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n", []),
        ("s3://b/a.jpg", [A]),
        ("\ufeffs3://b/a.jpg\r\n\r\n", [A]),
        ("\n s3://b/a.jpg \ns3://b/c d,e.jpg\n", [A, ManifestEntry("s3://b/c d,e.jpg")]),
        ("s3://b/a.jpg,e1,12\ns3://b/a.jpg,,\n", [FULL, A]),
        ("location,version,size\ns3://b/a.jpg,e1,12", [FULL]),
        ("Size,Location\n12,s3://b/a.jpg", [ManifestEntry("s3://b/a.jpg", None, 12)]),
        ("location\ns3://b/a.jpg", [A]),
        ('"b","a.jpg","12","e1"\n"b","c%20d%2Be+f","0",""', [
            FULL, ManifestEntry("s3://b/c d+e f", None, 0)
        ]),
        ('Bucket,Key,ETag,Size,Other\nb,c d+e,"""e1""",12,x', [
            ManifestEntry("s3://b/c d+e", "e1", 12)
        ]),
        ('{"location": "s3://b/a.jpg"}\n\n' + JSON, [A, FULL]),
    ],
)  # fmt: skip
async def test_each_line_names_an_object(
    tmp_path: Path, text: str, expected: list[ManifestEntry]
) -> None:
    assert expected == await read(tmp_path, text)


async def test_paths_are_files_of_this_machine(tmp_path: Path) -> None:
    expected = ManifestEntry(location_of(tmp_path / "ä b.jpg"))
    assert [expected] == await read(tmp_path, str(tmp_path / "ä b.jpg"))
    assert [expected] == await read(tmp_path, expected.location)


async def test_many_lines_are_read_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    assert [A] * 5 == await read(tmp_path, "s3://b/a.jpg\n" * 5)


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
async def test_a_line_that_cannot_be_understood_is_named(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(Misconfigured, match=f"Line {line} of the manifest .* cannot be understood"):
        await read(tmp_path, text)


async def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: no such file"):
        _ = [entry async for entry in read_manifest(tmp_path / "none")]


async def test_a_dash_is_what_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path  # noqa: PLC0415 - at run time here alone

    file = tmp_path / "piped"
    file.write_text("s3://b/a.jpg\n")
    with file.open() as piped:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(piped.buffer))
        assert [A] == [entry async for entry in read_manifest(Path("-"))]
