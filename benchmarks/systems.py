"""The two servers that are compared: Pictograph and the plain pipeline, each as a process."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.encoder_process import CACHE
from benchmarks.http_load import Request
from benchmarks.process_tree import ProcessTree
from infra.settings import ENV_PREFIX
from tests.e2e.process import KEY, UPLOAD, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

START_SECONDS = 120.0
PLAIN_LOG = CACHE / "plain-pipeline.log"
POLL_SECONDS = 0.1
HITS = 20
SEARCH = f"""
query Search($text: String!) {{
  searchImages(by: {{text: $text}}, first: {HITS}) {{
    edges {{ score node {{ id filename width height createdAt }} }}
  }}
}}
"""
FOUND = re.compile(rb'"(?:edges|hits)":\s*\[\s*\{')
STORED = re.compile(rb'"isDuplicate":\s*false|^\{"id":')


@dataclass(frozen=True, slots=True)
class System:
    """A running server, and how a client asks it."""

    name: str
    url: str
    tree: ProcessTree
    search: Callable[[str], Request]
    upload: Callable[[str, bytes], Request]


def check_found(body: bytes) -> None:
    """Raise ValueError unless an answer has hits."""
    _check(FOUND, body)


def check_stored(body: bytes) -> None:
    """Raise ValueError unless an answer says that a new picture was stored."""
    _check(STORED, body)


def _check(expected: re.Pattern[bytes], body: bytes) -> None:
    if not expected.search(body):
        raise ValueError(f"This answer is no success: {body[:300]!r}")


def tuning() -> dict[str, object]:
    """Return the settings of the environment, such as PICTOGRAPH_DTYPE, for every server."""
    return {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(ENV_PREFIX)
    }


@contextmanager
def run_pictograph(settings: Mapping[str, object]) -> Iterator[System]:
    """Run `pictograph serve` with these settings and those of the environment."""
    given = tuning() | {"api_key": KEY, "log_level": "warning"} | dict(settings)
    with ServerProcess.start(given) as server:
        yield System(
            "Pictograph",
            server.url,
            ProcessTree(server.process.pid),
            search_pictograph,
            upload_pictograph,
        )


def search_pictograph(text: str) -> Request:
    """Return a search over GraphQL."""
    return Request.json("/graphql", {"query": SEARCH, "variables": {"text": text}})


def upload_pictograph(name: str, data: bytes) -> Request:
    """Return an upload as the multipart request specification says."""
    operations = {"query": UPLOAD, "variables": {"files": [None], "tags": []}}
    fields = {"operations": json.dumps(operations), "map": '{"0": ["variables.files.0"]}'}
    headers = (("GraphQL-Require-Preflight", "1"), ("Authorization", f"Bearer {KEY}"))
    return Request.form("/graphql", fields, ("0", name, data), headers)


@contextmanager
def run_plain(checkpoint: Path, database: str, files: Path) -> Iterator[System]:
    """Run the plain pipeline."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [
        *(sys.executable, "-m", "benchmarks.plain_pipeline", "--model", str(checkpoint)),
        *("--database", database, "--files", str(files), "--port", str(port)),
    ]
    with PLAIN_LOG.open("w") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        _wait_for_port(process, port)
        yield System(
            "plain pipeline",
            f"http://127.0.0.1:{port}",
            ProcessTree(process.pid),
            lambda text: Request("GET", f"/search?q={quote(text)}"),
            lambda name, data: Request.form("/images", {}, ("file", name, data)),
        )
    finally:
        process.terminate()
        process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            time.sleep(POLL_SECONDS)
    raise RuntimeError(f"The plain pipeline did not start; {PLAIN_LOG} has its messages.")
