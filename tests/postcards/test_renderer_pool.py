"""The pool of renderer processes: same files, one postcard at a time each, no process left."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from postcards.renderer_pool import RendererPool
from postcards.renderer_process import LENGTH_BYTES, render_jpeg
from tests.e2e.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (3, 1, 4, 1)


async def test_a_pool_renders_the_same_files_as_the_function() -> None:
    async with RendererPool.open(2) as renderers:
        files = await asyncio.gather(*(renderers.render(seed) for seed in SEEDS))
    assert [hashlib.sha256(render_jpeg(seed)).digest() for seed in SEEDS] == [
        hashlib.sha256(file).digest() for file in files
    ]


async def test_a_closed_pool_renders_nothing() -> None:
    async with RendererPool.open(1) as renderers:
        assert await renderers.render(2)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await renderers.render(1)


async def test_a_folder_named_postcards_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "postcards"
    shadow.mkdir()
    (shadow / "__init__.py").touch()
    (shadow / "renderer_process.py").write_text("raise SystemExit('the wrong module was run')")
    monkeypatch.chdir(tmp_path)
    # An empty entry of the path would be the working directory as well.
    monkeypatch.syspath_prepend("")
    async with RendererPool.open(1) as renderers:
        assert render_jpeg(2) == await renderers.render(2)


def test_a_renderer_process_ends_at_the_end_of_its_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postcards.renderer_process"],
        input=b"2\n",
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    length, file = done.stdout[:LENGTH_BYTES], done.stdout[LENGTH_BYTES:]
    assert len(file) == int.from_bytes(length)
    assert file == render_jpeg(2)
