"""A real server with postcards for the clients, and what a client's script needs to be run."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from postcards import MODEL
from tests.e2e.postcards import fill, sunset
from tests.e2e.process import KEY, Server, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
SECONDS = 300  # of a machine that has much else to do
PICTURES = 40
NEEDED = "Clients of JavaScript need Node.js 20 or newer, and `make test-clients` to install them."


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 50 postcards, each tagged as one; what a test adds is not."""
    data_dir = tmp_path_factory.mktemp("clients")
    with ServerProcess.start({"model": MODEL, "data_dir": data_dir, "api_key": KEY}) as server:
        fill(server)
        yield server


@pytest.fixture(scope="session")
def painted() -> bytes:
    return sunset(1000)


@pytest.fixture
def pictures(painted: bytes, tmp_path: Path) -> list[Path]:
    """Files of a red sailboat at sunset in a folder of their own, no two of the same bytes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"sunset-{number:02}.png" for number in range(PICTURES)]
    for path in paths:
        path.write_bytes(_commented(painted, str(path)))
    return paths


def _commented(png: bytes, comment: str) -> bytes:
    """Return the picture with a text chunk before its last, which is 12 bytes long."""
    chunk = b"tEXtComment\0" + comment.encode()
    size, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return png[:-12] + size + chunk + checksum + png[-12:]


@dataclass(frozen=True, slots=True)
class Node:
    """Node.js with the clients installed, and no word of where else to look for a server."""

    command: str
    environment: Mapping[str, str]

    def __call__(self, *arguments: str | Path, cwd: Path = HERE, **variables: object) -> str:
        """Run a script to its end, and return what it says. It has to succeed."""
        done = subprocess.run(
            [self.command, *map(str, arguments)],
            env={**self.environment, **{name: str(value) for name, value in variables.items()}},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert 0 == done.returncode, done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def node(bare_node: Node) -> Node:
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        _miss()
    return bare_node


@pytest.fixture(scope="session")
def bare_node() -> Node:
    """Node.js for scripts that need no package."""
    command = shutil.which("node") or _miss()
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return Node(command, {name: os.environ[name] for name in kept if name in os.environ})


def _miss() -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(NEEDED)
    pytest.skip(NEEDED)
